internal import FoundationEssentials
internal import Glibc
internal import PostgresBridge
internal import Synchronization

/// One PostgreSQL of a pair, a child of this process, run as another user if this one is root.
final class PairServer: Sendable {
    let name: String
    /// Its disk, with its socket and its data.
    let home: String
    private let environment: [String]
    private let process = Mutex<ServerProcess?>(nil)

    var data: String { home + "/data" }
    var socket: String { home + "/.s.PGSQL.5432" }
    private var log: String { home + ".log" }

    /// - Parameters:
    ///   - name: What its directory is called.
    ///   - directory: Where that is.
    ///   - environment: What the server gets besides.
    init(_ name: String, in directory: String, environment: [String]) {
        self.name = name
        home = "\(directory)/\(name)"
        self.environment = environment
        mkdir(home, 0o755)
    }

    func conninfo(_ database: String, as application: String = "fault-test") -> String {
        "host=\(home) port=5432 user=sluice dbname=\(database) application_name=\(application) "
            + "target_session_attrs=any"
    }

    func connect(_ database: String = "postgres") throws(PostgresError) -> PostgresConnection {
        try PostgresConnection(
            PostgresConfiguration(conninfo: conninfo(database), connectTimeout: 3))
    }

    // MARK: Its life

    /// An empty cluster; every commit will wait for the other server once it is there.
    func create() throws {
        let owner = ServerUser.current
        chown(home, owner.uid, owner.gid)
        try run(
            "initdb", "-D", data, "-U", "sluice", "-E", "UTF8", "--no-locale",
            "--auth-local=trust", "--auth-host=reject", "--no-instructions")
        try append(
            """
            listen_addresses = ''
            max_connections = 200
            shared_buffers = 64MB
            max_wal_size = 256MB
            checkpoint_timeout = 60s
            wal_keep_size = 192MB
            wal_log_hints = on
            hot_standby = on
            wal_retrieve_retry_interval = 200ms
            synchronous_standby_names = 'standby'
            log_min_messages = warning

            """, to: data + "/postgresql.conf")
        try append("synchronous_standby_names = ''\n", to: data + "/postgresql.auto.conf")
    }

    /// Comes back when it lets clients in.
    ///
    /// One that was given up earlier is ended before, or its locks would be somebody's for ever.
    func start(_ settings: String...) throws {
        kill()
        let options = settings.flatMap { ["-c", $0] }
        let started = try ServerProcess(
            command: ServerUser.current.command(
                [
                    ServerUser.binaries + "/postgres", "-D", data, "-p", "5432", "-c",
                    "unix_socket_directories=\(home)",
                ] + options),
            environment: ["LC_ALL=C"] + environment, directory: "/", output: log)
        process.withLock { $0 = started }
        let deadline = ContinuousClock.now + .seconds(60)
        while PostgresConnection.ping(conninfo("postgres")) != .ok {
            guard started.wait(timeout: .milliseconds(20)) != .exited,
                ContinuousClock.now < deadline
            else { throw SceneFailure("server \(name) does not start: \(lastWords)") }
        }
    }

    var isRunning: Bool { process.withLock { $0 }?.isRunning == true }

    /// SIGKILL for its postmaster; comes back when all its processes are gone.
    func kill() {
        let postmaster = process.withLock { process in
            defer { process = nil }
            return process
        }
        postmaster?.signal(SIGKILL)
        _ = postmaster?.wait(timeout: .seconds(5))
        let deadline = ContinuousClock.now + .seconds(3)
        while true {
            let rest = processes()
            if rest.isEmpty { return }
            // A busy backend sees the postmaster's death only when it waits.
            if ContinuousClock.now > deadline { for pid in rest { Glibc.kill(pid, SIGKILL) } }
            usleep(20_000)
        }
    }

    /// As if its machine were gone: all its processes end at one moment.
    ///
    /// Behind a dead postmaster, a commit stops to wait for the standby (syncrep.c), so that who still
    /// runs sees what no other server has.
    func die() {
        freeze(true)
        for pid in processes() { Glibc.kill(pid, SIGKILL) }
        kill()
    }

    /// In order, or else at once.
    func stop() {
        let postmaster = process.withLock { $0 }
        postmaster?.signal(SIGINT)
        _ = postmaster?.wait(timeout: .seconds(20))
        kill()
    }

    /// SIGSTOP for all its processes, or SIGCONT.
    func freeze(_ isFrozen: Bool) {
        let postmaster = process.withLock { $0 }
        // The postmaster first, so that no process comes up that is not on the list.
        if isFrozen { postmaster?.signal(SIGSTOP) }
        for pid in processes() where pid != postmaster?.pid {
            Glibc.kill(pid, isFrozen ? SIGSTOP : SIGCONT)
        }
        if !isFrozen { postmaster?.signal(SIGCONT) }
    }

    /// All that work in its data directory.
    private func processes() -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { pid in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd")) == data
        }
    }

    // MARK: Its data

    /// Becomes a standby of another server, which runs; this one does not.
    ///
    /// - Parameters:
    ///   - primary: The other server.
    ///   - isRewound: By pg_rewind, not by a fresh copy.
    /// - Throws: What the program that does it says.
    func follow(_ primary: PairServer, isRewound: Bool) throws {
        if isRewound {
            // Or pg_rewind would not see that the other has begun a timeline of its own.
            let connection = try primary.connect()
            defer { connection.close() }
            _ = try connection.query("CHECKPOINT", timeout: .seconds(60))
            try run(
                "pg_rewind", "-D", data, "-R", "--source-server",
                primary.conninfo("postgres", as: "standby"))
        } else {
            let owner = ServerUser.current
            chown(home, owner.uid, owner.gid)
            try? FileManager.default.removeItem(atPath: data)
            try run(
                "pg_basebackup", "-d", primary.conninfo("postgres", as: "standby"), "-D", data,
                "-R", "-c", "fast", "-X", "stream")
        }
    }

    private func run(_ tool: String, _ arguments: String...) throws {
        let process = try ServerProcess(
            command: ServerUser.current.command(["\(ServerUser.binaries)/\(tool)"] + arguments),
            environment: ["LC_ALL=C", "PATH=/usr/bin:/bin"], directory: "/", output: log)
        guard process.wait(timeout: .seconds(300)) == .exited, process.isSuccess else {
            process.signal(SIGKILL)
            throw SceneFailure("\(tool) failed (\(process.ending ?? "no end")): \(lastWords)")
        }
    }

    private func append(_ text: String, to path: String) throws {
        let file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard file >= 0, write(file, bytes, bytes.count) == bytes.count else {
            throw SceneFailure("cannot write \(path)")
        }
    }

    private var lastWords: String {
        let bytes = FileManager.default.contents(atPath: log) ?? Data()
        return String(decoding: bytes.suffix(800), as: UTF8.self)
    }
}

/// As whom PostgreSQL runs, which refuses root, and where its programs are.
struct ServerUser {
    let uid: UInt32
    let gid: UInt32

    static let current: ServerUser = {
        guard geteuid() == 0 else { return ServerUser(uid: geteuid(), gid: getegid()) }
        for name in ["sluice", "postgres", "nobody"] {
            if let entry = getpwnam(name) {
                return ServerUser(uid: entry.pointee.pw_uid, gid: entry.pointee.pw_gid)
            }
        }
        return ServerUser(uid: 65_534, gid: 65_534)
    }()

    /// The newest that is installed, as Debian does it.
    static let binaries: String = {
        let parent = "/usr/lib/postgresql"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
        return "\(parent)/\(names.compactMap { Int($0) }.max() ?? 0)/bin"
    }()

    func command(_ command: [String]) -> [String] {
        guard geteuid() == 0 else { return command }
        return ["/usr/bin/setpriv", "--reuid=\(uid)", "--regid=\(gid)", "--clear-groups", "--"]
            + command
    }
}
