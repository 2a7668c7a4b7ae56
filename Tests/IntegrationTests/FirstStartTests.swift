import BrokerRuntime
import Glibc
import PostgresBridge
import PostgresCluster
import SluiceClient
import Testing

extension EndToEnd {
    @Suite("A first start") struct FirstStartTests {
        private func tokens(
            named name: String = "first", _ place: String...
        ) async throws -> [JSONFields] {
            let program = SluiceProgram(connectionFile: "/nonexistent")
            let list = try await program.run(["token", "list", "--json"] + place)
            #expect(list.status == 0, "\(list.errors)")
            return try list.output.lines.map { try JSONFields($0) }.filter {
                $0.text("name") == name
            }
        }

        @Test func `makes the data directory that it needs beside an existing database`()
            async throws
        {
            let database = try PostgresCluster.shared.freshDatabase()
            let directory = TestDirectories.make() + "/not/there/yet"
            let broker = try await TestBroker.start {
                $0.databaseURL = database
                $0.dataDirectory = directory
            }
            try await TestHTTP(broker).publish(freshTopic(), numbers: 1...1)
            var status = stat()
            #expect(stat(directory, &status) == 0)
            #expect(status.st_mode & 0o777 == (geteuid() == 0 ? 0o711 : 0o700))
            #expect(broker.caFile == directory + "/tls/ca.pem")
            try await broker.stop()
        }

        @Test func `makes one token for a database, however many nodes and starts it has`()
            async throws
        {
            let database = try PostgresCluster.shared.freshDatabase()
            async let one = TestBroker.start { $0.databaseURL = database }
            async let other = TestBroker.start { $0.databaseURL = database }
            let brokers = try await [one, other]
            #expect(brokers.filter { $0.started.isNewToken }.count == 1)
            let without = try #require(brokers.first { !$0.started.isNewToken })
            #expect(
                without.started.missingToken
                    == MissingToken(
                        reason:
                            "The database has tokens, and the connection file has none of them.",
                        command: "sluice token create --name NAME"))
            for broker in brokers {
                try await TestHTTP(broker).publish(freshTopic(), numbers: 1...1)
                try await broker.stop()
                let again = try await TestBroker.start(in: broker.directory) {
                    $0.databaseURL = database
                }
                #expect(!again.started.isNewToken)
                #expect(again.token == broker.token)
                try await again.stop()
            }
            #expect(try await tokens("--database-url", database).count == 1)
        }

        @Test(arguments: [nil, "/proc/none/connection.json"])
        func `makes no token where it can't be kept`(connectionFile: String?) async throws {
            let directory = TestDirectories.make()
            for _ in 1...2 {
                let broker = try await TestBroker.start(in: directory) {
                    $0.connectionFile = connectionFile
                }
                #expect(broker.started.missingToken != nil)
                #expect(broker.started.token == nil)
                #expect(try await tokens("--data-dir", directory).isEmpty)
                try await broker.stop()
            }
        }

        @Test func `makes none in place of one that was revoked`() async throws {
            let first = try await TestBroker.start()
            let token = try #require(first.started.token)
            let revoked = try await SluiceProgram(first).run("token", "revoke", token)
            #expect(revoked.status == 0, "\(revoked.errors)")
            try await first.stop()
            let second = try await TestBroker.start(in: first.directory)
            #expect(second.started.missingToken?.reason.contains("was revoked") == true)
            #expect(try await tokens("--data-dir", first.directory).count == 1)
            try await second.stop()
        }

        @Test func `shows its token to no pipe and to no log`() async throws {
            let program = SluiceProgram(connectionFile: TestDirectories.make() + "/c.json")
            let run = try program.start(
                "serve", "--listen", "https://127.0.0.1:0", "--data-dir", TestDirectories.make(),
                "--log-level", "trace")
            try await eventually("the first steps") { run.output.text.contains("Or with curl") }
            run.interrupt()
            let outcome = try await run.end()
            let token = try #require(ConnectionFile.read(path: program.connectionFile)?.token)
            #expect(token.hasPrefix("slc_"))
            #expect(!outcome.output.text.contains("slc_"))
            #expect(!outcome.errors.contains("slc_"), "\(outcome.errors)")
        }
    }

    @Suite("The commands that manage tokens") struct TokenCommandTests {
        /// The server says in its log who logs in.
        private static let cluster = PostgresCluster(extraSettings: ["log_connections": "on"])

        @Test func `need one connection to the database, and nothing of the log`() async throws {
            let database = try Self.cluster.freshDatabase()
            let program = SluiceProgram(connectionFile: "/nonexistent")
            let place = ["--database-url", database]
            #expect(try await program.run(["migrate"] + place).status == 0)
            for (number, command) in [["list"], ["create"], ["revoke", "0123456789"]].enumerated() {
                let node = "asker\(number)"
                _ = try await program.run(
                    ["token"] + command + place, environment: ["SLUICE_NODE": node])
                let connection = try PostgresConnection(PostgresConfiguration(conninfo: database))
                let logins = try connection.query(
                    """
                    SELECT count(*)
                    FROM regexp_split_to_table(pg_read_file('../postgres.log'), E'\\n') l
                    WHERE l LIKE $1
                    """, [.text("%connection authorized%application_name=sluice \(node)%")])
                #expect(logins.int8(0, 0) == 1, "\(command)")
            }
            await Task.detached { Self.cluster.stop() }.value
        }
    }
}
