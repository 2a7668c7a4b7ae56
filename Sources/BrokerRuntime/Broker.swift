internal import AccessControl
internal import Delivery
internal import DurableLog
internal import EventModel
internal import Glibc
internal import HTTPEndpoint
package import Logging
internal import NIOCore
internal import NIOPosix
internal import OpenSSLBridge
internal import Publishing
internal import ServiceLifecycle
internal import SessionProtocol
internal import SessionEndpoint
internal import Transport
internal import UnixSignals
internal import WallClock

/// The composition root: configuration in, a running broker out, graceful drain at the end
/// (doc:House).
package struct Broker: Service {
    private var configuration: BrokerConfiguration
    private let logger: Logger

    package init(configuration: BrokerConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Runs until SIGINT or SIGTERM; on a terminal also until that is closed, which is SIGHUP.
    package func runUntilSignal() async throws {
        var signals: [UnixSignal] = [.sigint, .sigterm]
        if isatty(STDIN_FILENO) == 1 { signals.append(.sighup) }
        let group = ServiceGroup(
            configuration: .init(
                services: [self], gracefulShutdownSignals: signals, logger: logger))
        try await group.run()
    }

    /// Runs until a graceful shutdown of the service group.
    package func run() async throws {
        // A peer that is gone is an error of `send`, never a signal.
        signal(SIGPIPE, SIG_IGN)
        guard let database = try await openDatabase() else { return }
        let loops = MultiThreadedEventLoopGroup(
            numberOfThreads: configuration.loops, metricsDelegate: LoopPolls.shared)
        do {
            var broker = self
            try broker.configuration.take(database.settings)
            try await broker.serve(database, on: loops)
        } catch {
            try? await loops.shutdownGracefully()
            await database.close()
            throw error
        }
        try await loops.shutdownGracefully()
        await database.close()
        logger.info("stopped")
    }

    /// `nil`: the broker was told to end before.
    private func openDatabase() async throws -> Database? {
        do {
            return try await cancelWhenGracefulShutdown {
                try await Database.open(configuration, logger: logger)
            }
        } catch {
            if Task.isShuttingDownGracefully { return nil }
            throw error
        }
    }

    private func serve(_ database: Database, on loops: MultiThreadedEventLoopGroup) async throws {
        let log = PostgresLog(
            configuration: database.configuration, listenConninfo: configuration.listenURL,
            limits: configuration.limits, createsTopics: configuration.createsTopics,
            announces: !database.isPrivate, logger: logger)
        let hub = try DeliveryHub(
            loops: Array(loops.makeIterator()), log: log, limits: configuration.limits)
        log.start(sink: hub)
        do {
            try await serve(log, hub, TokenDatabase(database.configuration), on: loops)
        } catch {
            await stop(log, hub)
            throw error
        }
        await stop(log, hub)
    }

    private func stop(_ log: PostgresLog, _ hub: DeliveryHub) async {
        try? await NIOThreadPool.singleton.runIfActive { log.stop() }
        hub.stop()
    }

    private func serve(
        _ log: PostgresLog, _ hub: DeliveryHub, _ tokens: TokenDatabase,
        on loops: MultiThreadedEventLoopGroup
    ) async throws {
        let authenticator = Authenticator(
            store: log, limits: configuration.limits, digest: { Digest.sha256($0) },
            date: { Timestamp.now })
        var authenticate: Authenticate?
        if configuration.auth == .token {
            authenticate = { authenticator.authenticate($0, completion: $1) }
        }
        let origins = OriginList(configuration.origins)
        let tickets = TicketOffice(
            store: log, limits: configuration.limits, digest: { Digest.sha256($0) },
            date: { Timestamp.now }, makeTicket: Ticket.random)
        // Whether topics are created is for the log to say, which follows the database.
        let appends = TurnAppends(log)
        let publisher = Publisher(
            createsTopics: true, sha256: { Digest.sha256($0) },
            append: { appends.append($0, completion: $1) })
        let terms = SessionTerms(
            node: configuration.node, version: ProgramVersion.current,
            limits: configuration.limits)
        let services = SessionServices(
            log: log, hub: hub, terms: terms,
            authenticate: authenticate, tickets: tickets, origins: origins,
            publisher: publisher, makeSessionName: Self.sessionName)
        let http = HTTPBroker(
            log: log, publisher: publisher, hub: hub, terms: terms, authenticate: authenticate,
            tickets: tickets, origins: origins, upgrades: UpgradeRoutes(services),
            limits: configuration.limits,
            now: { Timestamp.now }, logger: logger)
        let certificates = try Certificates(configuration)
        let transport = TransportServer(
            group: loops, listeners: configuration.listen.map { Listener($0, .http(http)) },
            tls: certificates.context, limits: configuration.transport, logger: logger)
        guard try await Self.becomesReady(log) else { return }
        let kept = configuration.connectionFile.flatMap { ConnectionFile.read(path: $0)?.token }
        let token =
            configuration.auth == .none
            ? nil
            : try await FirstToken.prepare(
                configuration, kept: kept, database: tokens, authenticator: authenticator)
        let addresses = try await NIOThreadPool.singleton.runIfActive { try transport.start() }
        await announce(addresses, token, kept: kept, tokens, certificates)
        let watch = RevocationWatch(
            hub: hub, store: log, interval: configuration.limits.revocationInterval)
        let certificateWatch = CertificateWatch(certificates, configuration, logger: logger) {
            transport.renew($0)
        }
        await cancelWhenGracefulShutdown {
            async let certificates: Void = certificateWatch.run()
            await watch.run()
            await certificates
        }
        try Task.checkCancellation()
        await drain(http, hub, transport)
    }

    /// The broker says that it is ready only when it is.
    ///
    /// `false`: It was told to end before.
    private static func becomesReady(_ log: PostgresLog) async throws -> Bool {
        let isReady = await cancelWhenGracefulShutdown {
            for _ in 0..<600 where !log.isReady && !Task.isCancelled {
                try? await Task.sleep(for: .milliseconds(50))
            }
            return log.isReady
        }
        if isReady { return true }
        if Task.isShuttingDownGracefully { return false }
        throw BrokerError(
            .databaseUnavailable, "The database did not become usable within 30 s.",
            remedy: "See the log above; 'sluice migrate --status' checks the connection.")
    }

    private func announce(
        _ addresses: [BoundAddress], _ token: FirstToken?, kept: String?, _ tokens: TokenDatabase,
        _ certificates: Certificates
    ) async {
        var started = StartedBroker(
            addresses: addresses, caFile: certificates.authority, token: token?.text,
            isNewToken: token?.isNew ?? false, connectionFile: configuration.connectionFile)
        if case .missing(let missing) = token { started.missingToken = missing }
        if let path = configuration.connectionFile {
            // A token that is not good is kept: the broker tells who shows it what is wrong with
            // it.
            let file = ConnectionFile(
                url: started.url, token: started.token ?? kept, caFile: started.caFile,
                pid: getpid(), dataDirectory: configuration.dataDirectory)
            do throws(ConfigurationError) { try file.write(path: path) } catch {
                // The broker works without it; only the commands need flags then.
                logger.warning("connection file not written", metadata: ["reason": "\(error)"])
                started.connectionFile = nil
                if case .made(let token) = token {
                    // What nobody can know is of use to nobody.
                    try? await tokens.forget(id: token.id)
                    (started.token, started.isNewToken) = (nil, false)
                    started.missingToken = MissingToken(configuration, reason: error.message)
                }
            }
        }
        for address in addresses { logger.info("listening", metadata: ["address": "\(address)"]) }
        if let missing = started.missingToken {
            logger.notice(
                "no token for this machine's commands",
                metadata: ["reason": "\(missing.reason)", "remedy": "\(missing.command)"])
        }
        configuration.started?(started)
    }

    /// Refuses what is new, tells every client to come back, and waits until they are gone.
    private func drain(_ http: HTTPBroker, _ hub: DeliveryHub, _ transport: TransportServer) async {
        logger.info("draining", metadata: ["connections": "\(transport.connectionCount)"])
        http.drain()
        let drainTime = configuration.limits.drainTime
        hub.forEachLoop { $0.drain(reconnectWithin: drainTime) }
        // A publisher that waits is told what became of its events, if only that nobody knows.
        let outcomeTime = configuration.limits.outcomeTimeout + .seconds(1)
        let deadline = NIODeadline.now() + TimeAmount(max(drainTime, outcomeTime))
        try? await transport.drain(deadline: deadline).get()
    }

    @Sendable private static func sessionName() -> String {
        "s_" + String(UInt64.random(in: .min ... .max), radix: 36)
    }
}
