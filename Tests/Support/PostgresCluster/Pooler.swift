internal import Glibc
internal import PostgresBridge
internal import Synchronization

/// A real PgBouncer in transaction mode before a cluster, on a unix socket, run as the cluster's
/// user.
///
/// It ends with the test process, even if that crashes.
package final class Pooler: Sendable {
    /// Whether there is one to run: Debian's package `pgbouncer`.
    package static let isInstalled = access(executable, X_OK) == 0
    private static let executable = "/usr/sbin/pgbouncer"

    private let directory: String
    private let command: [String]
    private let process = Mutex<ServerProcess?>(nil)

    /// Starts one before a cluster that runs.
    ///
    /// - Parameters:
    ///   - cluster: Its server.
    ///   - size: Server processes for all clients of a database; few, so that clients get each
    ///     other's.
    /// - Throws: When it cannot be run.
    package init(before cluster: PostgresCluster, size: Int = 4) throws {
        directory = "/tmp/sluice-pool-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        mkdir(directory, 0o755)
        var owner = stat()
        stat(cluster.socketDirectory, &owner)
        chown(directory, owner.st_uid, owner.st_gid)
        let file = directory + "/pgbouncer.ini"
        try Self.write(
            """
            [databases]
            * = host=\(cluster.socketDirectory) port=5432 user=sluice
            [pgbouncer]
            listen_addr =
            listen_port = 5432
            unix_socket_dir = \(directory)
            auth_type = any
            pool_mode = transaction
            default_pool_size = \(size)
            max_client_conn = 500
            server_login_retry = 0.2
            pidfile = \(directory)/pid
            ignore_startup_parameters = extra_float_digits

            """, to: file)
        let user =
            geteuid() == 0
            ? [
                "/usr/bin/setpriv", "--reuid=\(owner.st_uid)", "--regid=\(owner.st_gid)",
                "--clear-groups", "--",
            ] : []
        command = user + [Self.executable, "-q", file]
        try PostgresCluster.guardDirectory(directory, pidFile: "pid", signal: "TERM")
        try start()
    }

    /// The same database as a conninfo of the cluster, by the pooler.
    package func conninfo(_ conninfo: String) -> String {
        let database = conninfo.split(separator: " ").first { $0.hasPrefix("dbname=") } ?? ""
        return "host=\(directory) port=5432 user=sluice \(database)"
    }

    /// Comes back when it accepts clients.
    package func start() throws {
        let started = try ServerProcess(
            command: command, environment: ["LC_ALL=C"], directory: directory,
            output: directory + "/log")
        process.withLock { $0 = started }
        // Its socket is there before it listens.
        let address = "host=\(directory) port=5432 user=sluice dbname=postgres"
        while PostgresConnection.ping(address) == .noResponse,
            started.wait(timeout: .milliseconds(5)) != .exited
        {}
    }

    /// At once, whatever its clients do.
    package func stop() {
        process.withLock { process in
            process?.signal(SIGTERM)
            _ = process?.wait(timeout: .seconds(10))
            process = nil
        }
        unlink(directory + "/.s.PGSQL.5432")
    }

    private static func write(_ text: String, to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        let bytes = Array(text.utf8)
        defer { close(file) }
        guard file >= 0, Glibc.write(file, bytes, bytes.count) == bytes.count else {
            throw ServerProcess.StartFailure(command: "write \(path)", errno: errno)
        }
    }
}
