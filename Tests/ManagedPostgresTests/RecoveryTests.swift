import FoundationEssentials
import Glibc
import Logging
import PostgresBridge
import Testing

@testable import ManagedPostgres

@Suite("What the last run left behind") struct RecoveryTests {
    @Test func `a server that survived its broker is adopted`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let first = directory.postgres()
        let conninfo = try first.start()
        let pid = first.postmasterPID
        first.leaveRunning()

        let second = directory.postgres()
        #expect(try second.start() == conninfo)
        #expect(second.postmasterPID == pid)
        second.stop()
        #expect(try second.serverProcesses().isEmpty)
    }

    @Test func `a killed server starts again and has what was committed`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let first = directory.postgres()
        let connection = try PostgresConnection(
            PostgresConfiguration(conninfo: try first.start()))
        try connection.script("CREATE TABLE t AS SELECT 'committed' AS v")
        let pid = try #require(first.postmasterPID)
        first.leaveRunning()
        kill(pid, SIGKILL)

        let second = directory.postgres()
        let conninfo = try second.start()
        defer { second.stop() }
        #expect(second.postmasterPID != pid)
        #expect(try ask(conninfo, "SELECT v FROM t") == "committed")
    }

    @Test func `a backend that is too busy to see its postmaster's death is ended`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let first = directory.postgres()
        let conninfo = try first.start()
        let pid = try #require(first.postmasterPID)
        let busy = PostgresThread(name: "busy") {
            let connection = try? PostgresConnection(PostgresConfiguration(conninfo: conninfo))
            _ = try? connection?.query(
                "SELECT count(*) FROM generate_series(1, 100000000000) /* busy */")
        }
        #expect(
            try eventually {
                try ask(
                    conninfo,
                    "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE '%/* busy */' "
                        + "AND state = 'active' AND pid <> pg_backend_pid()") == "1"
            })
        first.leaveRunning()
        kill(pid, SIGKILL)

        let second = directory.postgres()
        #expect(try ask(try second.start(), "SELECT 'up'") == "up")
        busy.join()
        second.stop()
    }

    @Test func `a living server that does not answer is stopped in order, and started anew`() throws
    {
        let directory = try TemporaryDirectory.withCluster()
        let first = directory.postgres()
        _ = try first.start()
        let pid = try #require(first.postmasterPID)
        first.leaveRunning()
        unlink(directory.path + "/postgres/.s.PGSQL.5432")

        let second = directory.postgres(silenceMax: .milliseconds(20))
        let conninfo = try second.start()
        #expect(second.postmasterPID != pid)
        #expect(try ask(conninfo, "SELECT 'up'") == "up")
        second.stop()
        let log = try String(
            contentsOfFile: directory.path + "/postgres/postgres.log", encoding: .utf8)
        #expect(log.contains("received fast shutdown request"))
        #expect(!log.contains("not properly shut down"))
    }

    @Test func `a lock file of a dead process is no obstacle`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let dead = try ServerProcess(
            command: ["/bin/true"], environment: [], directory: "/", output: "/dev/null")
        _ = dead.wait(timeout: nil)
        try directory.writePidFile(dead.pid)
        try expectStart(directory)
    }

    @Test func `a lock file whose number went to another process of the server's user`() throws {
        let directory = try TemporaryDirectory.withCluster()
        var status = stat()
        stat(directory.path + "/postgres/data", &status)
        let stranger = try ServerProcess(
            command: geteuid() == status.st_uid
                ? ["/bin/sleep", "100"]
                : [
                    "/usr/bin/setpriv", "--reuid=\(status.st_uid)", "--regid=\(status.st_gid)",
                    "--clear-groups", "sleep",
                    "100",
                ],
            environment: ["PATH=/usr/bin:/bin"], directory: "/", output: "/dev/null")
        #expect(eventually { FileManager.default.isStranger(stranger.pid, of: status.st_uid) })
        try directory.writePidFile(stranger.pid)
        try expectStart(directory)
        #expect(stranger.isRunning)
        stranger.signal(SIGTERM)
        _ = stranger.wait(timeout: nil)
    }

    @Test func `a lock file of a process of another user is no obstacle`() throws {
        let directory = try TemporaryDirectory.withCluster()
        try directory.writePidFile(1)
        try expectStart(directory)
    }

    @Test(arguments: ["", "garbage\n"])
    func `an empty or garbled lock file is no obstacle`(content: String) throws {
        let directory = try TemporaryDirectory.withCluster()
        try content.write(toFile: directory.pidFile, atomically: false, encoding: .utf8)
        try expectStart(directory)
    }

    @Test func `an initdb that was interrupted is begun anew`() throws {
        let directory = TemporaryDirectory()
        try FileManager.default.createDirectory(
            atPath: directory.path + "/postgres/data.unfinished/base",
            withIntermediateDirectories: true)
        try expectStart(directory)
    }

    private func expectStart(_ directory: TemporaryDirectory) throws {
        let postgres = directory.postgres()
        let conninfo = try postgres.start()
        defer { postgres.stop() }
        #expect(try ask(conninfo, "SELECT 'up'") == "up")
    }
}

extension FileManager {
    /// Whether the process has become `sleep` of that user: setpriv takes a moment.
    fileprivate func isStranger(_ pid: Int32, of uid: UInt32) -> Bool {
        var status = stat()
        let command = (try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)) ?? ""
        return stat("/proc/\(pid)", &status) == 0 && status.st_uid == uid && command == "sleep\n"
    }
}

@Suite("A server that dies while it is managed") struct SupervisionTests {
    @Test func `is restarted, and committed data is there`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let postgres = directory.postgres()
        let conninfo = try postgres.start()
        defer { postgres.stop() }
        let connection = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
        try connection.script("CREATE TABLE t AS SELECT 'committed' AS v")
        let pid = try #require(postgres.postmasterPID)

        kill(pid, SIGKILL)
        #expect(eventually { postgres.isRunning() && postgres.postmasterPID != pid })
        #expect(try ask(conninfo, "SELECT v FROM t") == "committed")
    }

    @Test func `is restarted too when it was adopted`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let first = directory.postgres()
        _ = try first.start()
        first.leaveRunning()
        let second = directory.postgres()
        let conninfo = try second.start()
        defer { second.stop() }
        let pid = try #require(second.postmasterPID)
        kill(pid, SIGQUIT)
        #expect(eventually { second.isRunning() && second.postmasterPID != pid })
        #expect(try ask(conninfo, "SELECT 'up'") == "up")
    }

    @Test func `is not restarted after stop`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let postgres = directory.postgres()
        _ = try postgres.start()
        postgres.stop()
        #expect(!postgres.isRunning())
        #expect(postgres.postmasterPID == nil)
        #expect(try postgres.serverProcesses().isEmpty)
        postgres.stop()
    }
}

@Suite("A broker that runs as root", .enabled(if: geteuid() == 0)) struct RootTests {
    @Test func `names the directory that keeps the server's user out, and the way out`() throws {
        let closed = TemporaryDirectory()
        mkdir(closed.path, 0o700)
        let postgres = ManagedServer(
            directory: closed.path + "/below", logger: Logger(label: "test"))
        let error = try #require(throws: ManagedPostgresError.self) { try postgres.start() }
        #expect(error.message.contains("The directory \(closed.path) (mode 700) keeps out"))
        #expect(error.remedy.contains("chmod o+x \(closed.path)"))
    }

    @Test func `takes the owner of an existing cluster, whoever else could be chosen`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let owner = try #require(SystemUser.named("daemon"))
        try run("/bin/chown", "-R", "\(owner.uid):\(owner.gid)", directory.path + "/postgres")

        let second = directory.postgres()
        let conninfo = try second.start()
        defer { second.stop() }
        #expect(try ask(conninfo, "SELECT 'up'") == "up")
        #expect(userID("/proc/\(try #require(second.postmasterPID))") == owner.uid)
    }

    @Test(arguments: [false, true])
    func `takes a cluster away from nobody, whom others share`(isServerRunning: Bool) throws {
        let directory = try TemporaryDirectory.withCluster()
        let cluster = directory.path + "/postgres"
        let nobody = try #require(SystemUser.named("nobody"))
        let own = try #require(userID(cluster + "/data"))
        #expect(own != nobody.uid && own != 0)
        try run("/bin/chown", "-R", "\(nobody.uid):\(nobody.gid)", cluster)
        if isServerRunning {
            let binaries = try PostgresBinaries(preferred: nil, clusterMajor: nil)
            let survivor = try ServerProcess(
                command: [
                    "/usr/bin/setpriv", "--reuid=\(nobody.uid)", "--regid=\(nobody.gid)",
                    "--clear-groups", binaries.postgres, "-D", cluster + "/data", "-c",
                    "listen_addresses=", "-c", "unix_socket_directories=\(cluster)",
                ], environment: [], directory: cluster, output: cluster + "/postgres.log")
            #expect(eventually { access(cluster + "/.s.PGSQL.5432", F_OK) == 0 })
            #expect(survivor.isRunning)
        }

        let postgres = directory.postgres()
        let conninfo = try postgres.start()
        defer { postgres.stop() }
        #expect(try ask(conninfo, "SELECT 'up'") == "up")
        #expect(userID("/proc/\(try #require(postgres.postmasterPID))") == own)
        for file in ["", "/data", "/data/pg_hba.conf", "/data/global/pg_control", "/postgres.log"] {
            #expect(userID(cluster + file) == own, "\(file)")
        }
    }

    @Test func `lets nobody else in who gets at the socket`() throws {
        let directory = try TemporaryDirectory.withCluster()
        let postgres = directory.postgres(extraSettings: ["unix_socket_permissions": "0777"])
        _ = try postgres.start()
        defer { postgres.stop() }
        let socket = directory.path + "/postgres"
        chmod(socket, 0o711)
        let binaries = try PostgresBinaries(preferred: nil, clusterMajor: nil)
        func canLogIn(_ uid: UInt32) throws -> Bool {
            let process = try ServerProcess(
                command: [
                    "/usr/bin/setpriv", "--reuid=\(uid)", "--regid=\(uid)", "--clear-groups",
                    binaries.directory + "/psql", "-h", socket, "-U", "sluice", "-d", "sluice",
                    "-X", "-c", "SELECT 1",
                ], environment: [], directory: "/", output: "/dev/null")
            _ = process.wait(timeout: .seconds(20))
            return process.isSuccess
        }
        #expect(try canLogIn(0))
        #expect(try canLogIn(try #require(userID(socket))))
        #expect(try !canLogIn(try #require(SystemUser.named("nobody")).uid))
    }
}
