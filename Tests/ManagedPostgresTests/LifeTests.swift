import FoundationEssentials
import Glibc
import ManagedPostgres
import PostgresBridge
import Testing

@Suite("The broker's own cluster") struct LifeTests {
    @Test func `is created with a database sluice, on a socket only its owner can reach`() throws {
        let directory = TemporaryDirectory()
        let postgres = directory.postgres()
        let conninfo = try postgres.start()
        defer { postgres.stop() }

        #expect(try ask(conninfo, "SELECT current_database()::text") == "sluice")
        #expect(try ask(conninfo, "SHOW listen_addresses") == "")
        #expect(try ask(conninfo, "SHOW data_checksums") == "on")
        #expect(try ask(conninfo, "SHOW fsync") == "on")
        #expect(postgres.isRunning())
        var status = stat()
        stat(directory.path + "/postgres", &status)
        #expect(status.st_mode & 0o777 == 0o700)
        #expect(status.st_uid != 0)
    }

    @Test func `keeps its data over stop and start`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let first = directory.postgres()
        var connection: PostgresConnection? = try PostgresConnection(
            PostgresConfiguration(conninfo: try first.start()))
        try connection?.script("CREATE TABLE t AS SELECT 'kept' AS v")
        connection = nil
        first.stop()
        #expect(!first.isRunning())

        let second = directory.postgres()
        let conninfo = try second.start()
        defer { second.stop() }
        #expect(try ask(conninfo, "SELECT v FROM t") == "kept")
    }

    @Test func `takes settings of the user before its own`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let postgres = directory.postgres(extraSettings: ["max_connections": "17"])
        let conninfo = try postgres.start()
        defer { postgres.stop() }
        #expect(try ask(conninfo, "SHOW max_connections") == "17")
        #expect(try ask(conninfo, "SHOW shared_buffers") == "64MB")
    }

    @Test func `runs in a process group of its own, without the broker's descriptors`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let postgres = directory.postgres()
        _ = try postgres.start()
        defer { postgres.stop() }
        let pid = try #require(postgres.postmasterPID)
        #expect(getpgid(pid) == pid)
        #expect(getppid(of: pid) == getpid())
        // A lock that the server inherited would outlive the broker: the lock must be free now.
        postgres.leaveRunning()
        let next = directory.postgres()
        _ = try next.start()
        #expect(next.postmasterPID == pid)
        next.stop()
        #expect(try next.serverProcesses().isEmpty)
    }

    @Test func `is refused to a second broker, which learns who has it`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let first = directory.postgres()
        _ = try first.start()
        defer { first.stop() }
        let second = directory.postgres()
        let error = try #require(throws: ManagedPostgresError.self) { try second.start() }
        #expect(error.message.contains("in use by another broker (process \(getpid()))"))
        #expect(first.isRunning())
        second.stop()
        #expect(first.isRunning())
    }

    @Test func `puts the socket elsewhere when its path would be too long`() throws {
        let directory = try TemporaryDirectory.withCluster(
            suffix: "/" + String(repeating: "long/", count: 25))
        let postgres = directory.postgres()
        let conninfo = try postgres.start()
        #expect(try ask(conninfo, "SELECT current_database()::text") == "sluice")
        let socket = String(
            try ask(conninfo, "SHOW unix_socket_directories").filter { $0 != "\"" })
        #expect(!socket.contains(directory.path))
        var status = stat()
        #expect(stat(socket, &status) == 0 && status.st_mode & 0o777 == 0o700)

        // The next broker finds the server there.
        let pid = postgres.postmasterPID
        postgres.leaveRunning()
        let next = directory.postgres()
        #expect(try next.start() == conninfo)
        #expect(next.postmasterPID == pid)
        next.stop()
        #expect(stat(socket, &status) != 0)
    }

    @Test func `works in a directory with spaces, quotes and commas in its name`() throws {
        let directory = try TemporaryDirectory.withCluster(suffix: " it's \"odd\" \\ here")
        let postgres = directory.postgres()
        #expect(try ask(try postgres.start(), "SELECT 'fine'") == "fine")
        postgres.stop()

        let commas = try TemporaryDirectory.withCluster(suffix: ",a,b")
        let other = commas.postgres()
        #expect(try ask(try other.start(), "SELECT 'fine'") == "fine")
        other.stop()
    }

    @Test func `is found again under another path`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let first = directory.postgres()
        _ = try first.start()
        let pid = first.postmasterPID
        first.leaveRunning()
        let link = TemporaryDirectory()
        symlink(directory.path, link.path)
        let second = link.postgres()
        _ = try second.start()
        #expect(second.postmasterPID == pid)
        second.stop()
    }

    @Test func `explains a directory that is not a cluster, and touches nothing in it`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let version = directory.path + "/postgres/data/PG_VERSION"
        unlink(version)
        let error = try #require(throws: ManagedPostgresError.self) {
            try directory.postgres().start()
        }
        #expect(error.message.contains("is not a PostgreSQL cluster"))
        #expect(access(directory.path + "/postgres/data/pg_wal", F_OK) == 0)
    }

    @Test func `names the version that is missing for an existing cluster`() throws {
        let directory = try TemporaryDirectory.withCluster()
        try "13\n".write(
            toFile: directory.path + "/postgres/data/PG_VERSION", atomically: false, encoding: .utf8
        )
        let error = try #require(throws: ManagedPostgresError.self) {
            try directory.postgres().start()
        }
        #expect(error.message.contains("PostgreSQL 13 is needed"))
        #expect(error.remedy.contains("Install postgresql-13"))
    }

    @Test func `shows the server's own words when it refuses to start`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let postgres = directory.postgres(extraSettings: ["shared_buffers": "nonsense"])
        let error = try #require(throws: ManagedPostgresError.self) { try postgres.start() }
        #expect(error.message.contains("invalid value for parameter \"shared_buffers\""))
        // The directory is free again.
        let next = directory.postgres()
        _ = try next.start()
        next.stop()
    }
}

/// Field 4 of /proc/PID/stat, after the name in parentheses.
func getppid(of pid: Int32) -> Int32? {
    let text = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
    return text.split(separator: ")").last?.split(separator: " ").dropFirst().first
        .flatMap { Int32($0) }
}
