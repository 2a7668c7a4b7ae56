import FoundationEssentials
import Glibc
import Logging
import ManagedPostgres
import PostgresBridge
import Testing

/// A data directory that the server's user can reach, removed with its processes after the test.
final class TemporaryDirectory: Sendable {
    let path: String
    /// What is removed: `path` without its suffix, which may be several directories.
    private let base: String

    init(suffix: String = "") {
        base = "/tmp/sluice-managed-\(UInt64.random(in: 0...UInt64.max))"
        path = base + suffix
    }

    /// A cluster that was started and stopped before: a copy, which is faster than initdb.
    static func withCluster(suffix: String = "") throws -> TemporaryDirectory {
        let directory = TemporaryDirectory(suffix: suffix)
        try run("/bin/mkdir", "-p", directory.path)
        try run("/bin/cp", "-a", template.get().path + "/postgres", directory.path)
        return directory
    }

    private static let template: Result<TemporaryDirectory, any Error> = Result {
        let directory = TemporaryDirectory()
        let postgres = directory.postgres()
        _ = try postgres.start()
        postgres.stop()
        // A static is never released.
        atexit {
            try? FileManager.default.removeItem(atPath: TemporaryDirectory.template.get().path)
        }
        return directory
    }

    func postgres(
        extraSettings: [String: String] = [:], silenceMax: Duration = .seconds(10)
    ) -> ManagedServer {
        var logger = Logger(label: "managed-postgres-tests")
        logger.logLevel = .critical
        return ManagedServer(
            directory: path, extraSettings: extraSettings, silenceMax: silenceMax, logger: logger)
    }

    var pidFile: String { path + "/postgres/data/postmaster.pid" }

    func writePidFile(_ pid: Int32) throws {
        // The first line counts; the others are as postgres writes them (pidfile.h).
        let text =
            "\(pid)\n\(path)/postgres/data\n1700000000\n5432\n\(path)/postgres\n\n  0 0\nready\n"
        try text.write(toFile: pidFile, atomically: false, encoding: .utf8)
        try "\(pid)\n".write(
            toFile: path + "/postgres/.s.PGSQL.5432.lock", atomically: false, encoding: .utf8)
    }

    deinit {
        let rest = (try? postgres().serverProcesses()) ?? []
        for process in rest.compactMap({ ServerProcess(adopting: $0) }) {
            process.signal(SIGKILL)
            _ = process.wait(timeout: .seconds(5))
        }
        try? FileManager.default.removeItem(atPath: path)
        try? FileManager.default.removeItem(atPath: base)
    }
}

/// The answer of a one-value query on a connection of its own.
func ask(_ conninfo: String, _ sql: String) throws -> String {
    let connection = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
    defer { connection.close() }
    return try connection.query(sql).text(0, 0)
}

/// Looks until it holds, at most ten seconds.
func eventually(_ holds: () throws -> Bool) rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(10)
    while ContinuousClock.now < deadline {
        if try holds() { return true }
        usleep(5_000)
    }
    return false
}

/// Whose a file or (below /proc) a process is.
func userID(_ path: String) -> UInt32? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_uid : nil
}

/// Runs a command to its end.
func run(_ command: String...) throws {
    let process = try ServerProcess(
        command: command, environment: ["PATH=/usr/bin:/bin"], directory: "/", output: "/dev/null")
    _ = process.wait(timeout: nil)
    #expect(process.isSuccess, "\(command)")
}
