internal import Glibc
internal import NetworkFaults
internal import FoundationEssentials
internal import PostgresBridge
internal import PostgresCluster

/// What runs: a PostgreSQL of its own, two brokers on it, and a directory that goes with them.
final class Scene: Sendable {
    let cluster: PostgresCluster
    let nodes: [BrokerNode]
    /// The database by its unix socket, past every fault of the network.
    let conninfo: String
    let token: String
    let diary: Diary
    /// Whether its disk can be filled.
    let hasOwnDisk: Bool
    /// Gone after the end.
    let directory: String

    /// Memory is taken for what is stored only.
    private static let diskBytes = 8 << 30

    /// Starts all of it, and waits until both brokers are ready.
    init(program: String, diary: Diary) throws {
        self.diary = diary
        directory = "/tmp/sluice-fault-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        mkdir(directory, 0o755)
        try Self.guardDirectory(directory, program: program)
        cluster = PostgresCluster(extraSettings: [
            "max_connections": "200", "max_wal_size": "256MB", "checkpoint_timeout": "60s",
        ])
        hasOwnDisk = cluster.mountDisk(bytes: Self.diskBytes)
        conninfo = try cluster.freshDatabase()
        let options = Self.options(of: conninfo)
        let socket = "\(options["host"] ?? "")/.s.PGSQL.\(options["port"] ?? "5432")"
        var nodes: [BrokerNode] = []
        for number in 0...1 {
            let node = try BrokerNode(
                number: number, program: program, directory: "\(directory)/\(number + 1)",
                databaseSocket: socket, databaseName: options["dbname"] ?? "", diary: diary)
            node.start()
            nodes.append(node)
            try Self.wait(for: "broker \(number + 1)", .seconds(60)) { node.isReady }
        }
        self.nodes = nodes
        guard let token = Self.token(in: nodes[0].directory) else {
            throw SceneFailure("the first broker made no token")
        }
        self.token = token
    }

    func door(_ number: Int) -> Door {
        Door(
            port: nodes[number].clients.port, caFile: "\(nodes[number].directory)/tls/ca.pem",
            token: token)
    }

    var doors: [Door] { nodes.indices.map { door($0) } }

    /// A connection of an administrator's.
    func connect(_ name: String = "fault-test") throws(PostgresError) -> PostgresConnection {
        try PostgresConnection(
            PostgresConfiguration(conninfo: conninfo, applicationName: name, connectTimeout: 3))
    }

    /// Lets the database's disk take so many bytes more, or, with `nil`, as many as at first.
    func fillDisk(leaving room: Int?) -> Bool {
        cluster.fillDisk(leaving: room, of: Self.diskBytes)
    }

    /// Ends everything and removes it.
    func end() {
        for node in nodes where !node.finish() {
            diary.violated("the broker \(node.number + 1) did not end within 30 s of SIGTERM")
        }
        cluster.stop()
    }

    static func wait(for what: String, _ patience: Duration, _ condition: () -> Bool) throws {
        let deadline = ContinuousClock.now + patience
        while !condition() {
            guard ContinuousClock.now < deadline else {
                throw SceneFailure("\(what): not ready within \(patience)")
            }
            usleep(20_000)
        }
    }

    private static func options(of conninfo: String) -> [String: String] {
        var options: [String: String] = [:]
        for word in conninfo.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { options[String(parts[0])] = parts[1].filter { $0 != "'" } }
        }
        return options
    }

    private static func token(in directory: String) -> String? {
        let text = FileManager.default.contents(atPath: directory + "/connection.json")
            .map { String(decoding: $0, as: UTF8.self) }
        return text?.firstMatch(of: /"token" *: *"([^"]+)"/).map { String($0.1) }
    }

    /// A shell that outlives this process, then ends its brokers and removes the directory.
    private static func guardDirectory(_ directory: String, program: String) throws {
        let script = """
            while kill -0 \(getpid()) 2>/dev/null; do sleep 0.2; done
            for file in */pid.*; do
                pid=${file##*.}
                [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = '\(program)' ] || continue
                kill -KILL "$pid" 2>/dev/null
            done
            cd / && rm -rf '\(directory)'
            """
        _ = try ServerProcess(
            command: ["/bin/sh", "-c", script], environment: ["PATH=/usr/bin:/bin"],
            directory: directory, output: "/dev/null")
    }
}

/// How clients reach a broker.
struct Door: Sendable {
    var port: Int
    var caFile: String
    var token: String
}
