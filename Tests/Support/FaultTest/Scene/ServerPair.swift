internal import Glibc
internal import PostgresBridge
internal import Synchronization

/// Two PostgreSQL, of which one follows the other, and every commit waits for both.
final class ServerPair: Sendable {
    let servers: [PairServer]
    /// Whether their disks can be filled: each has one of its own, in memory.
    let haveOwnDisks: Bool
    let clock: FaultClock?
    private let directory: String
    private let leader = Mutex(0)

    static let database = "fault"
    /// Memory is taken for what is stored only.
    private static let diskBytes = 4 << 30

    var primary: PairServer { servers[leader.withLock { $0 }] }
    var standby: PairServer { servers[1 - leader.withLock { $0 }] }

    /// Starts both; the second one follows the first.
    ///
    /// - Parameter directory: Of their own; gone when this process is.
    /// - Throws: When a server does not come up.
    init(directory: String) throws {
        self.directory = directory
        mkdir(directory, 0o755)
        try Self.guardDirectory(directory)
        let clock = FaultClock(directory: directory)
        self.clock = clock
        servers = ["a", "b"].map {
            PairServer($0, in: directory, environment: clock?.environment ?? [])
        }
        haveOwnDisks = servers.allSatisfy {
            Self.mount([
                "-t", "tmpfs", "-o", "mode=755,size=\(Self.diskBytes)", "tmpfs", $0.home,
            ])
        }
        try primary.create()
        try primary.start()
        let connection = try primary.connect()
        defer { connection.close() }
        try connection.script("CREATE DATABASE \(Self.database)")
        try standby.follow(primary, isRewound: false)
        try standby.start()
        try setSynchronous(true)
        try awaitStandby()
    }

    /// Ends both; the directory goes with this process.
    func stop() {
        standby.stop()
        primary.stop()
    }

    // MARK: Faults

    /// Lets the primary's disk take so many bytes more.
    ///
    /// - Returns: What lets it take as many as at first.
    func fillDisk(leaving room: Int) throws -> () throws -> Void {
        let home = primary.home
        var facts = statvfs()
        guard statvfs(home, &facts) == 0 else { throw SceneFailure("statvfs") }
        let used = Int(facts.f_blocks - facts.f_bfree) * Int(facts.f_frsize)
        guard Self.mount(["-o", "remount,size=\(used + room)", home]) else {
            throw SceneFailure("cannot remount")
        }
        return {
            guard Self.mount(["-o", "remount,size=\(Self.diskBytes)", home]) else {
                throw SceneFailure("cannot remount")
            }
        }
    }

    /// Starts again what ended, because its disk was full.
    ///
    /// - Returns: Whom it started.
    func revive() throws -> [String] {
        var revived: [String] = []
        for server in [primary, standby] where !server.isRunning {
            try server.start()
            revived.append(server.name)
        }
        return revived
    }

    /// A standby becomes the primary; the old one must be dead.
    ///
    /// Doing it again is fine.
    ///
    /// - Parameters:
    ///   - heir: The standby.
    ///   - isWaiting: Commits wait until there is another standby.
    /// - Throws: When it is not the primary within 50 s, or can't be reached.
    func promote(_ heir: PairServer, isWaiting: Bool) throws {
        let connection = try heir.connect()
        defer { connection.close() }
        let isDone = try connection.query(
            "SELECT NOT pg_is_in_recovery() OR pg_promote(true, 50)", timeout: .seconds(60)
        ).bool(0, 0)
        guard isDone else { throw SceneFailure("\(heir.name) is not promoted within 50 s") }
        leader.withLock { $0 = servers[0] === heir ? 0 : 1 }
        try setSynchronous(isWaiting)
    }

    /// The server that is down comes back as the standby, and every commit waits for it again.
    ///
    /// - Parameter isRewound: By pg_rewind if that can be; otherwise from a fresh copy.
    /// - Returns: Why it was not rewound although it should have been.
    /// - Throws: When it does not catch up, or can't be copied.
    func rejoin(isRewound: Bool) throws -> String? {
        let server = standby
        var obstacle: String?
        do {
            try server.follow(primary, isRewound: isRewound)
        } catch  where isRewound {
            obstacle = "\(error)"
            try server.follow(primary, isRewound: false)
        }
        try server.start()
        try setSynchronous(true)
        try awaitStandby()
        return obstacle
    }

    /// Whether commits wait for the standby.
    private func setSynchronous(_ isSynchronous: Bool) throws {
        let connection = try primary.connect()
        defer { connection.close() }
        try connection.script(
            isSynchronous
                ? "ALTER SYSTEM RESET synchronous_standby_names"
                : "ALTER SYSTEM SET synchronous_standby_names = ''")
        try connection.script("SELECT pg_reload_conf()")
    }

    /// Waits until the standby has all that the primary has, and commits wait for it.
    func awaitStandby() throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if let connection = try? primary.connect() {
                defer { connection.close() }
                let answer = try? connection.query(
                    """
                    SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming'
                      AND sync_state = 'sync' AND flush_lsn >= pg_current_wal_flush_lsn())
                    """, timeout: .seconds(5))
                if answer?.bool(0, 0) == true { return }
            }
            usleep(20_000)
        }
        throw SceneFailure("the standby does not catch up within 60 s")
    }

    /// Bytes that both have on disk.
    var bytesOnDisk: Int {
        servers.reduce(0) { sum, server in
            var facts = statvfs()
            guard haveOwnDisks, statvfs(server.home, &facts) == 0 else { return sum }
            return sum + Int(facts.f_blocks - facts.f_bfree) * Int(facts.f_frsize)
        }
    }

    // MARK: The machine

    private static func mount(_ arguments: [String]) -> Bool {
        let process = try? ServerProcess(
            command: ["/bin/mount"] + arguments,
            environment: ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"],
            directory: "/", output: "/dev/null")
        return process?.wait(timeout: .seconds(10)) == .exited && process?.isSuccess == true
    }

    /// A shell that outlives this process, then stops the servers and removes the directory.
    private static func guardDirectory(_ directory: String) throws {
        let script = """
            while kill -0 \(getpid()) 2>/dev/null; do sleep 0.2; done
            for file in */data/postmaster.pid; do
                pid=$(head -n 1 "$file" 2>/dev/null)
                [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$PWD/${file%/*}" ] || continue
                kill -CONT "$pid" 2>/dev/null
                kill -QUIT "$pid" 2>/dev/null
                while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
            done
            for home in a b; do umount '\(directory)'/$home 2>/dev/null; done
            cd / && rm -rf '\(directory)'
            """
        _ = try ServerProcess(
            command: ["/bin/sh", "-c", script], environment: ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"],
            directory: directory, output: "/dev/null")
    }
}
