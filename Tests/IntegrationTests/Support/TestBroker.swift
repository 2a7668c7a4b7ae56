import BrokerRuntime
import EventModel
import Glibc
import Logging
import PostgresBridge
import ServiceLifecycle
import Transport

/// A broker of this process, on TLS and a free port.
///
/// It has a managed PostgreSQL unless it is given another one.
final class TestBroker: Sendable {
    let directory: String
    let port: Int
    let token: String?
    let caFile: String
    let connectionFile: String
    /// What it told when it was ready.
    let started: StartedBroker
    private let group: ServiceGroup
    private let running: Task<Void, any Error>

    /// The broker that tests share which neither stop it nor need limits of their own.
    static var shared: TestBroker {
        get async throws { try await sharedStart.value }
    }

    private static let sharedStart = Task { try await TestBroker.start() }

    /// A broker that waits for nobody: heartbeats after a second, credentials within one.
    static var impatient: TestBroker {
        get async throws { try await impatientStart.value }
    }

    private static let impatientStart = Task {
        try await TestBroker.start { configuration in
            configuration.limits.heartbeatInterval = .seconds(1)
            configuration.limits.authTimeout = .seconds(1)
        }
    }

    private init(
        _ started: StartedBroker, token: String?, directory: String, connectionFile: String,
        group: ServiceGroup, running: Task<Void, any Error>
    ) throws {
        self.started = started
        self.token = token
        self.directory = directory
        self.connectionFile = connectionFile
        self.group = group
        self.running = running
        guard let address = started.addresses.first, let caFile = started.caFile else {
            throw NotStarted(reason: "it told no address or no authority")
        }
        port = address.port
        self.caFile = caFile
    }

    struct NotStarted: Error {
        let reason: String
    }

    /// Starts a broker, and returns when it is ready.
    ///
    /// With the data directory of an earlier one it goes on with its log.
    static func start(
        in directory: String = TestDirectories.make(), logger: Logger? = nil,
        _ configure: (inout BrokerConfiguration) throws -> Void = { _ in }
    ) async throws -> TestBroker {
        var configuration = BrokerConfiguration(
            host: HostFacts(
                environment: [:], isRoot: geteuid() == 0, hostName: "testhost", cores: 2,
                directory: directory))
        let connectionFile = directory + "/connection.json"
        configuration.listen = [ListenAddress(isTLS: true, host: "127.0.0.1", port: 0)]
        configuration.dataDirectory = directory
        configuration.connectionFile = connectionFile
        // The broker's own variable, so that one run can test either kind of records.
        configuration.ownsTLSRecords =
            getenv("SLUICE_TLS_OWN_RECORDS").map { String(cString: $0) } != "false"
        try configure(&configuration)
        let (starts, start) = AsyncThrowingStream.makeStream(of: StartedBroker.self)
        configuration.started = { start.yield($0) }
        let logger = logger ?? Self.logger
        let group = ServiceGroup(
            configuration: .init(
                services: [Broker(configuration: configuration, logger: logger)], logger: logger))
        let running = Task {
            do { try await group.run() } catch {
                start.finish(throwing: error)
                throw error
            }
            start.finish()
        }
        for try await started in starts {
            return try TestBroker(
                started, token: try await token(of: started, configuration), directory: directory,
                connectionFile: connectionFile, group: group, running: running)
        }
        throw NotStarted(reason: "it ended at once")
    }

    /// Silent, unless `SLUICE_TEST_LOG` names a level.
    private static var logger: Logger {
        var logger = Logger(label: "broker")
        logger.logLevel =
            getenv("SLUICE_TEST_LOG").flatMap { Logger.Level(rawValue: String(cString: $0)) }
            ?? .critical
        return logger
    }

    /// A node of a database that has tokens makes none: its user does, and lets the commands find
    /// it.
    private static func token(
        of started: StartedBroker, _ configuration: BrokerConfiguration
    ) async throws -> String? {
        guard started.missingToken != nil else { return started.token }
        let place =
            configuration.databaseURL.map { ["--database-url", $0] }
            ?? ["--data-dir", configuration.dataDirectory]
        let program = SluiceProgram(connectionFile: "/nonexistent")
        let made = try await program.run(["token", "create", "--name", "test"] + place)
        guard let token = made.lines.first else { throw NotStarted(reason: made.errors) }
        if let path = started.connectionFile, var file = ConnectionFile.read(path: path) {
            file.token = token
            try file.write(path: path)
        }
        return token
    }

    /// A graceful shutdown; returns when it has ended.
    func stop() async throws {
        await beginStop()
        try await running.value
    }

    /// Begins a graceful shutdown.
    func beginStop() async { await group.triggerGracefulShutdown() }

    /// The managed PostgreSQL's first process.
    var postmaster: Int32? {
        guard let text = readFile(directory + "/postgres/data/postmaster.pid") else { return nil }
        return text.split(separator: "\n").first.flatMap { Int32($0) }
    }

    /// A connection of a user's to the managed database.
    func database() throws -> PostgresConnection {
        try PostgresConnection(
            PostgresConfiguration(
                conninfo: try ManagedConnection.conninfo(dataDirectory: directory)))
    }
}
