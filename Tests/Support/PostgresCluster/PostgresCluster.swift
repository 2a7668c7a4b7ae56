internal import Glibc
internal import Logging
internal import ManagedPostgres
internal import PostgresBridge
internal import Synchronization

/// A real PostgreSQL for tests: one private cluster for the whole test process.
///
/// It starts with the first database asked for and ends with the process, even if that crashes.
package final class PostgresCluster: Sendable {
    package static let shared = PostgresCluster()

    private let state: Mutex<State>
    private let directory: String
    /// Of the server's socket.
    var socketDirectory: String { directory + "/postgres" }
    private let extraSettings: [String: String]

    private struct State {
        var server: ManagedServer?
        var databases = 0
        var isGuarded = false
    }

    /// For tests that kill or stop the server: a cluster of their own.
    package init(extraSettings: [String: String] = [:]) {
        self.extraSettings = extraSettings
        directory = "/tmp/sluice-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        state = Mutex(State())
    }

    /// Creates an empty database and gives its conninfo, which stays valid over `restart`.
    package func freshDatabase() throws -> String {
        try state.withLock { state in
            let server = try Self.started(&state, directory, extraSettings)
            state.databases += 1
            let name = "test_\(state.databases)"
            let connection = try PostgresConnection(
                PostgresConfiguration(conninfo: server.conninfo(database: "postgres") ?? ""))
            defer { connection.close() }
            try connection.script("CREATE DATABASE \(name)")
            return server.conninfo(database: name) ?? ""
        }
    }

    /// A crash: SIGKILL for the postmaster, and nobody restarts it before `restart`.
    ///
    /// Returns when all its processes are gone.
    package func killServer() throws {
        try state.withLock { state in
            guard let server = state.server else { return }
            let pid = server.postmasterPID
            server.leaveRunning()
            state.server = nil
            if let pid { kill(pid, SIGKILL) }
            let deadline = ContinuousClock.now + .seconds(3)
            var rest = try server.serverProcesses()
            while !rest.isEmpty {
                // A busy backend sees the postmaster's death only when it waits.
                if ContinuousClock.now > deadline { rest.forEach { kill($0, SIGKILL) } }
                rest.compactMap { ServerProcess(adopting: $0) }.forEach {
                    _ = $0.wait(timeout: .milliseconds(100))
                }
                rest = try server.serverProcesses()
            }
        }
    }

    /// Brings the server up again; an orderly restart if it runs.
    package func restart() throws {
        try state.withLock { state in
            state.server?.stop()
            state.server = nil
            _ = try Self.started(&state, directory, extraSettings)
        }
    }

    /// Ends the server and removes everything.
    package func stop() {
        state.withLock { state in
            state.server?.stop()
            state.server = nil
        }
        // The guard below removes the directory.
    }

    private static func started(
        _ state: inout State, _ directory: String, _ extraSettings: [String: String]
    ) throws -> ManagedServer {
        if let server = state.server { return server }
        if !state.isGuarded {
            state.isGuarded = true
            mkdir(directory, 0o755)
            try guardDirectory(directory, pidFile: "postgres/data/postmaster.pid", signal: "QUIT")
        }
        var logger = Logger(label: "postgres-cluster")
        logger.logLevel = .error
        let server = ManagedServer(
            directory: directory, extraSettings: extraSettings, logger: logger)
        _ = try server.start()
        state.server = server
        return server
    }

    /// A shell that outlives this process, then stops the server and removes the directory.
    static func guardDirectory(_ directory: String, pidFile: String, signal: String) throws {
        let script = """
            while kill -0 \(getpid()) 2>/dev/null; do sleep 0.2; done
            pid=$(head -n 1 \(pidFile) 2>/dev/null)
            if [ -n "$pid" ]; then
                kill -\(signal) "$pid" 2>/dev/null
                while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
            fi
            cd / && rm -rf '\(directory)'
            """
        _ = try ServerProcess(
            command: ["/bin/sh", "-c", script], environment: ["PATH=/usr/bin:/bin"],
            directory: directory, output: "/dev/null")
    }
}
