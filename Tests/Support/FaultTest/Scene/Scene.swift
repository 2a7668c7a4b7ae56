internal import Glibc
internal import NetworkFaults
internal import FoundationEssentials
internal import PostgresBridge

/// What runs: two PostgreSQL of its own, two brokers on them, and a directory that goes with them.
final class Scene: Sendable {
    let database: ServerPair
    let nodes: [BrokerNode]
    let token: String
    let diary: Diary
    /// Gone after the end.
    let directory: String

    /// Starts all of it, and waits until both brokers are ready.
    init(program: String, diary: Diary) throws {
        self.diary = diary
        directory = "/tmp/sluice-fault-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        mkdir(directory, 0o755)
        try Self.guardDirectory(directory, program: program)
        database = try ServerPair(directory: directory + "-db")
        var nodes: [BrokerNode] = []
        for number in 0...1 {
            let node = try BrokerNode(
                number: number, program: program, directory: "\(directory)/\(number + 1)",
                databaseSockets: database.servers.map(\.socket), diary: diary)
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

    /// The database's primary by its unix socket, past every fault of the network.
    var conninfo: String { database.primary.conninfo(ServerPair.database) }

    /// A connection of an administrator's to the primary.
    func connect() throws(PostgresError) -> PostgresConnection {
        try database.primary.connect(ServerPair.database)
    }

    /// Ends everything and removes it.
    func end() {
        for node in nodes where !node.finish() {
            diary.violated("the broker \(node.number + 1) did not end within 30 s of SIGTERM")
        }
        database.stop()
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
