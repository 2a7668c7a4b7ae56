internal import FoundationEssentials
internal import Glibc
internal import Logging
internal import PostgresBridge

/// Brings the server up, whatever the last one left behind.
struct ServerLaunch: Sendable {
    let layout: ClusterLayout
    let account: ServerAccount
    let binaries: PostgresBinaries
    let socketDirectory: String
    let extraSettings: [String: String]
    /// How long a living server may stay silent before it is stopped.
    let silenceMax: Duration
    let logger: Logger

    /// Crash recovery replays at most about `max_wal_size` and needs seconds, on a slow disk more.
    static let readyTimeout = Duration.seconds(300)
    /// A fast shutdown writes a checkpoint.
    static let shutdownTimeout = Duration.seconds(120)
    static let logBytesMax = 16 << 20

    var search: ServerSearch { ServerSearch(layout: layout, user: account.user) }

    /// Adopts the server that survived its broker, or starts a new one, and waits until it answers.
    func bringUp(_ stop: StopSignal) throws(ManagedPostgresError) -> ServerProcess {
        if let survivor = try adoptSurvivor(stop) { return survivor }
        let start = ContinuousClock.now
        // Once more when a backend of the last server appeared only in the attempt.
        for _ in 0..<3 {
            search.endServers(logger)
            rotateLog()
            let logStart = FileStatus(layout.log)?.bytes ?? 0
            let process = try spawn()
            if try awaitReady(process, stop) {
                logger.info(
                    "database server started",
                    metadata: [
                        "pid": "\(process.pid)",
                        "milliseconds": "\((ContinuousClock.now - start) / .milliseconds(1))",
                    ])
                return process
            }
            let tail = ServerEnvironment.logTail(layout, from: logStart)
            if tail.contains("pre-existing shared memory block") { continue }
            throw ManagedPostgresError(
                "The database server ended at once (\(process.ending ?? "")): \(tail)",
                remedy: "Remove the cause and start again; \(layout.log) has the whole output.")
        }
        throw ManagedPostgresError(
            "Processes of an earlier database server still use \(layout.data).",
            remedy: "End the postgres processes whose directory that is.")
    }

    /// The manual's fast shutdown, never SIGKILL: clients are disconnected, nothing is lost.
    ///
    /// - Returns: False if the server still runs after `shutdownTimeout`.
    func shutDown(_ process: ServerProcess) -> Bool {
        process.signal(SIGINT)
        if process.wait(timeout: .seconds(10)) == .exited { return true }
        logger.warning(
            "waiting for the database server to stop", metadata: ["pid": "\(process.pid)"])
        return process.wait(timeout: Self.shutdownTimeout) == .exited
    }

    // MARK: - What the last server left behind

    private func adoptSurvivor(
        _ stop: StopSignal
    ) throws(ManagedPostgresError) -> ServerProcess? {
        switch search.pidFile() {
        case .absent:
            return nil
        case .unreadable:
            removeLockFiles(because: "unreadable")
            return nil
        case .pid(let pid):
            let answer = search.look(at: pid)
            guard answer != .other, let process = ServerProcess(adopting: pid), process.isRunning
            else {
                // Of a dead process or another user's, postgres itself finds the file stale.
                if search.isTakenBySameUser(pid) { removeLockFiles(because: "pid reused") }
                return nil
            }
            if try awaitAnswer(process, stop) {
                logger.info("adopted the running database server", metadata: ["pid": "\(pid)"])
                // The access rules may be newer than it.
                process.signal(SIGHUP)
                return process
            }
            // What can't be looked into is not ours to stop; postgres says why it doesn't start.
            guard process.isRunning, answer == .server else { return nil }
            logger.warning("stopping a silent database server", metadata: ["pid": "\(pid)"])
            guard shutDown(process) else {
                throw ManagedPostgresError(
                    "The database server \(pid) neither answers nor stops.",
                    remedy: "See \(layout.log); end it with kill -QUIT \(pid), then start again.")
            }
            return nil
        }
    }

    /// Makes postgres start over what it would take for a living server.
    ///
    /// Safe once no process works in the cluster: we hold the broker's lock on its directory. The
    /// socket has a lock file of its own, with the same number in it.
    private func removeLockFiles(because reason: String) {
        search.endServers(logger)
        logger.info("removing stale lock files", metadata: ["reason": "\(reason)"])
        unlink(layout.pidFile)
        unlink("\(socketDirectory)/\(ClusterCreation.socketName).lock")
    }

    private func rotateLog() {
        guard let bytes = FileStatus(layout.log)?.bytes, bytes > Self.logBytesMax else { return }
        rename(layout.log, layout.oldLog)
    }

    // MARK: - Waiting

    /// True once the server accepts connections, false if it ends or stays silent.
    private func awaitAnswer(
        _ process: ServerProcess, _ stop: StopSignal
    ) throws(ManagedPostgresError) -> Bool {
        let start = ContinuousClock.now
        while true {
            let age: Duration = .now - start
            switch PostgresConnection.ping(conninfo(database: "postgres")) {
            case .ok: return true
            case .rejecting where age > Self.readyTimeout: return false
            case .noResponse where age > silenceMax: return false
            case .rejecting, .noResponse, .noAttempt: break
            }
            switch stop.wait(for: process, timeout: .milliseconds(50)) {
            case .exited: return false
            case .woken: throw Self.cancelled
            case .timedOut: break
            }
        }
    }

    /// True once the server that we started accepts connections, false if it ended.
    private func awaitReady(
        _ process: ServerProcess, _ stop: StopSignal
    ) throws(ManagedPostgresError) -> Bool {
        let start = ContinuousClock.now
        var pause = Duration.milliseconds(5)
        var report = Duration.seconds(5)
        while true {
            if PostgresConnection.ping(conninfo(database: "postgres")) == .ok { return true }
            let age: Duration = .now - start
            switch stop.wait(for: process, timeout: pause) {
            case .exited:
                return false
            case .woken:
                _ = shutDown(process)
                throw Self.cancelled
            case .timedOut:
                break
            }
            if age > Self.readyTimeout {
                _ = shutDown(process)
                throw ManagedPostgresError(
                    "The database server was not ready after \(Self.readyTimeout).",
                    remedy: "See \(layout.log).")
            }
            if age > report {
                logger.info("waiting for the database server", metadata: ["seconds": "\(age)"])
                report += .seconds(5)
            }
            // While it recovers, the server logs every question.
            pause = min(pause * 3 / 2, .milliseconds(500))
        }
    }

    static let cancelled = ManagedPostgresError(
        "The start was cancelled.", remedy: "Start again.")

    // MARK: - The server's command line

    private func spawn() throws(ManagedPostgresError) -> ServerProcess {
        // Made here so that it belongs to the server's user, who may be another.
        let log = open(layout.log, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        fchown(log, account.user.uid, account.user.gid)
        close(log)
        do {
            return try ServerProcess(
                command: account.command([binaries.postgres, "-D", layout.data] + settings()),
                environment: ServerEnvironment.variables(layout), directory: layout.home,
                output: layout.log)
        } catch {
            throw ServerEnvironment.notStarted(error)
        }
    }

    /// The measured settings; of two equal ones postgres takes the last, so the caller's win.
    private func settings() -> [String] {
        let quoted = socketDirectory.split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\"\"")
        let ours = [
            "listen_addresses=", "port=5432", "unix_socket_directories=\"\(quoted)\"",
            "unix_socket_permissions=0700", "shared_buffers=64MB", "max_connections=40",
            "wal_level=minimal", "max_wal_senders=0", "max_wal_size=1GB", "min_wal_size=80MB",
            "checkpoint_timeout=15min",
            // lz4 came with 15.
            "wal_compression=\(binaries.major >= 15 ? "lz4" : "on")",
            "max_parallel_workers=0", "max_parallel_workers_per_gather=0",
            "max_logical_replication_workers=0", "autovacuum_max_workers=2",
            "autovacuum_naptime=15s", "jit=off", "huge_pages=off", "logging_collector=off",
        ]
        let theirs = extraSettings.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return (ours + theirs).flatMap { ["-c", $0] }
    }

    func conninfo(database: String) -> String {
        "host=\(Self.quote(socketDirectory)) port=5432 user=sluice dbname=\(Self.quote(database))"
    }

    /// A value in libpq's keyword form (manual 34.1.1.1).
    private static func quote(_ value: String) -> String {
        var quoted = "'"
        for character in value {
            if character == "'" || character == "\\" { quoted.append("\\") }
            quoted.append(character)
        }
        return quoted + "'"
    }
}
