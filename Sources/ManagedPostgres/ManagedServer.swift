internal import Glibc
package import Logging
internal import PostgresBridge
internal import Synchronization

/// The broker's own PostgreSQL: a private cluster in its data directory, reached by a unix socket.
///
/// The server is a child in its own process group. While it is managed, a thread restarts it when
/// it dies, until `stop`. When the broker dies, the server goes on, and the next broker adopts it.
/// doc:Log. All methods may block for seconds: never call them on an event loop.
package final class ManagedServer: Sendable {
    private let directory: String
    private let binaries: String?
    private let extraSettings: [String: String]
    private let silenceMax: Duration
    private let logger: Logger
    private let stopSignal = StopSignal()
    private let state = Mutex<Run?>(nil)

    /// A started cluster; nil before `start` and after `stop`.
    private struct Run {
        /// Held for its deinit, which gives the data directory free.
        let lock: DirectoryLock
        let creation: ClusterCreation
        let launch: ServerLaunch
        /// nil while the server is down.
        var server: ServerProcess?
        var supervisor: PostgresThread?
    }

    static let firstRestartDelay = Duration.milliseconds(100)
    static let restartDelayMax = Duration.seconds(30)
    /// A server that ran as long as this was sound: the delay begins anew.
    static let soundRun = Duration.seconds(60)

    /// - Parameters:
    ///   - directory: The broker's data directory; the cluster goes to `postgres` in it.
    ///   - binaries: Where `initdb` and `postgres` are; nil looks in the usual places.
    ///   - extraSettings: Server settings that go before ours, e.g. `["shared_buffers": "1GB"]`.
    ///   - silenceMax: How long a server that is found may stay silent before it is stopped.
    ///   - logger: Gets what happens to the server, and progress on what takes long.
    package init(
        directory: String, binaries: String? = nil, extraSettings: [String: String] = [:],
        silenceMax: Duration = .seconds(10), logger: Logger
    ) {
        self.directory = directory
        self.binaries = binaries
        self.extraSettings = extraSettings
        self.silenceMax = silenceMax
        self.logger = logger
    }

    /// Creates the cluster if there is none, brings the server up, and looks after it from then on.
    ///
    /// Once per object. It takes 0.1 s, the first time about 1 s, and longer when the server has to
    /// recover from a crash.
    ///
    /// - Returns: The conninfo of the database `sluice`.
    /// - Throws: `ManagedPostgresError`. Nothing is left running, the directory is free again.
    package func start() throws(ManagedPostgresError) -> String {
        precondition(state.withLock { $0 == nil } && !stopSignal.isRaised, "bug: started twice")
        let layout = try ClusterLayout(directory: directory)
        let lock = try DirectoryLock(layout)
        let account = try ServerAccount(for: layout)
        let creation = ClusterCreation(layout: layout, account: account, logger: logger)
        let major = try creation.existingMajor()
        let binaries = try PostgresBinaries(preferred: binaries, clusterMajor: major)
        if account.isShared {
            logger.warning(
                "the database server runs as a user that others share",
                metadata: [
                    "user": "\(account.user.name)",
                    "remedy": "useradd --system \(ServerAccount.candidates[0])",
                ])
        }
        try account.takeOver(layout, logger)
        try creation.prepareHome()
        if major == nil { try creation.create(binaries) }
        try AccessRules(layout: layout, account: account).write()
        let launch = ServerLaunch(
            layout: layout, account: account, binaries: binaries,
            socketDirectory: try creation.socketDirectory(), extraSettings: extraSettings,
            silenceMax: silenceMax, logger: logger)
        let server = try launch.bringUp(stopSignal)
        do {
            try createDatabase(launch)
        } catch {
            _ = launch.shutDown(server)
            throw ManagedPostgresError(
                "Cannot create the database sluice: \(error)", remedy: "See \(layout.log).")
        }
        let isStarted = state.withLock { run in
            // `stop` raises the signal before it takes the lock, so one of the two sees the other.
            if stopSignal.isRaised { return false }
            // Under the lock, so that the thread finds the run when it notes a restart.
            let supervisor = PostgresThread(name: "sluice-postgres") {
                self.supervise(launch, server)
            }
            run = Run(
                lock: lock, creation: creation, launch: launch, server: server,
                supervisor: supervisor)
            return true
        }
        guard isStarted else {
            _ = launch.shutDown(server)
            throw ServerLaunch.cancelled
        }
        return launch.conninfo(database: "sluice")
    }

    /// Shuts the server down (SIGINT, at most about two minutes) and gives the directory free.
    ///
    /// A server that does not stop in time goes on; the next `start` adopts it. Harmless when
    /// repeated.
    package func stop() {
        guard let run = endSupervision() else { return }
        if let server = run.server, !run.launch.shutDown(server) {
            logger.error("database server does not stop", metadata: ["pid": "\(server.pid)"])
            return
        }
        run.creation.removeSocketDirectory()
        logger.info("database server stopped")
    }

    /// Gives the directory free and leaves the server running, for the next broker to adopt.
    package func leaveRunning() {
        _ = endSupervision()
    }

    package func isRunning() -> Bool {
        state.withLock { $0?.server?.isRunning ?? false }
    }

    /// The server's number; nil while it is down.
    package var postmasterPID: Int32? {
        state.withLock { $0?.server?.pid }
    }

    /// The numbers of all processes in the cluster, backends and survivors of a crash included.
    package func serverProcesses() throws(ManagedPostgresError) -> [Int32] {
        let layout = try ClusterLayout(directory: directory)
        let account = try ServerAccount(for: layout)
        return ServerSearch(layout: layout, user: account.formerUser ?? account.user).servers()
    }

    /// The conninfo of another database of the cluster; nil unless started.
    package func conninfo(database: String) -> String? {
        state.withLock { $0?.launch.conninfo(database: database) }
    }

    private func createDatabase(_ launch: ServerLaunch) throws(PostgresError) {
        let connection = try PostgresConnection(
            PostgresConfiguration(conninfo: launch.conninfo(database: "postgres")))
        defer { connection.close() }
        let known = try connection.query(
            "SELECT FROM pg_database WHERE datname = 'sluice'", timeout: .seconds(30))
        if known.rowCount == 0 {
            try connection.script("CREATE DATABASE sluice")
        }
    }

    // MARK: - Looking after the server

    private func supervise(_ launch: ServerLaunch, _ first: ServerProcess) {
        var server = first
        var delay = Self.firstRestartDelay
        var since = ContinuousClock.now
        while stopSignal.wait(for: server, timeout: nil) == .exited {
            logger.error(
                "database server ended",
                metadata: ["pid": "\(server.pid)", "ending": "\(server.ending ?? "unknown")"])
            state.withLock { $0?.server = nil }
            if ContinuousClock.now - since > Self.soundRun { delay = Self.firstRestartDelay }
            guard let next = restart(launch, &delay) else { return }
            server = next
            since = .now
            state.withLock { $0?.server = next }
        }
    }

    /// Tries until the server is up; nil when stopped meanwhile.
    private func restart(_ launch: ServerLaunch, _ delay: inout Duration) -> ServerProcess? {
        while !stopSignal.wait(delay) {
            delay = min(delay * 2, Self.restartDelayMax)
            do {
                return try launch.bringUp(stopSignal)
            } catch {
                if stopSignal.isRaised { return nil }
                logger.error(
                    "database server cannot be restarted",
                    metadata: ["error": "\(error)", "again_in": "\(delay)"])
            }
        }
        return nil
    }

    private func endSupervision() -> Run? {
        stopSignal.raise()
        let supervisor = state.withLock { $0?.supervisor }
        // Not under the lock: the supervisor takes it to note a restart.
        supervisor?.join()
        return state.withLock { run in
            defer { run = nil }
            return run
        }
    }
}
