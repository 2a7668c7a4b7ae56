import BrokerRuntime
import EventModel
import PostgresBridge
import PostgresCluster
import SessionProtocol
import Testing

extension EndToEnd {
    @Suite("A broker that shuts down") struct ShutdownTests {
        @Test func `tells its clients to come back, and then nothing is missing`() async throws {
            let broker = try await TestBroker.start()
            let topic = freshTopic()
            let session = try await TestSocket.session(broker)
            session.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)"}"#)
            _ = try await session.messages { $0 == .live(id: 1) }
            let stream = try await TestSocket.open(
                broker, "/v1/topics/\(topic)/events", subprotocols: [], token: broker.token)
            _ = try await stream.messages { $0 == .live(id: nil) }
            try await TestHTTP(broker).publish(topic, numbers: 1...3)
            let cursor = try await session.events(3)[2].cursor

            async let stopped: Void = broker.stop()
            for client in [session, stream] {
                let messages = try await client.messages { message in
                    if case .closing = message { true } else { false }
                }
                guard case .closing(let closing) = messages.last else { continue }
                #expect(closing.code == 4001)
                #expect(closing.reason == "drain")
                #expect(closing.reconnectAfter ?? .zero > .zero)
                #expect(try await client.close() == (4001, "drain"))
            }
            try await stopped

            let next = try await TestBroker.start(in: broker.directory)
            #expect(next.token == broker.token)
            try await TestHTTP(next).publish(topic, numbers: 4...6)
            let again = try await TestSocket.session(next)
            again.send(
                #"{"type":"subscribe","id":1,"topic":"\#(topic)","cursors":{"\#(topic)":"\#(cursor)"}}"#
            )
            #expect(try await again.data(3) == ["4", "5", "6"])
            try await next.stop()
        }
    }

    @Suite("A broker that shuts down while a client does not read")
    struct StuckShutdownTests {
        @Test func `does not wait for it longer than for the others`() async throws {
            let broker = try await TestBroker.start()
            let topic = freshTopic()
            let stuck = try await TestSocket.session(broker)
            stuck.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)"}"#)
            _ = try await stuck.messages { $0 == .live(id: 1) }
            stuck.pause()
            let http = TestHTTP(broker)
            let event = [UInt8](repeating: UInt8(ascii: "1"), count: 1 << 20)
            for _ in 1...16 { #expect(try await http.publish(topic, event).status == 201) }
            let began = ContinuousClock.now
            try await broker.stop()
            #expect(ContinuousClock.now - began < .seconds(15))
            stuck.resume()
        }
    }

    @Suite("A broker that is told to end before it is ready") struct EarlyEndTests {
        @Test func `ends at once, and well`() async throws {
            // The address for LISTEN says nothing, so it never gets ready.
            let silent = SilentServer()
            let program = SluiceProgram(connectionFile: "/nonexistent/connection.json")
            let directory = TestDirectories.make()
            let run = try program.start(
                "serve", "--listen", "https://127.0.0.1:0", "--data-dir", directory,
                "--connection-file", directory + "/connection.json", "--listen-url",
                silent.conninfo())
            try await eventually("appending") {
                guard
                    let conninfo = try? ManagedConnection.conninfo(dataDirectory: directory),
                    let database = try? PostgresConnection(
                        PostgresConfiguration(conninfo: conninfo))
                else { return false }
                defer { database.close() }
                return try database.query(
                    "SELECT FROM pg_stat_activity WHERE application_name LIKE '% append'"
                ).rowCount == 1
            }
            let began = ContinuousClock.now
            run.interrupt()
            let outcome = try await run.end()
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(ContinuousClock.now - began < .seconds(8))
        }
    }

    @Suite("A broker that can't start") struct StartTests {
        @Test func `because another one has its data directory says so`() async throws {
            let broker = try await TestBroker.shared
            let run = try await SluiceProgram(broker).run(
                "serve", "--data-dir", broker.directory, "--listen", "https://127.0.0.1:0",
                "--connection-file", broker.directory + "/other.json")
            #expect(run.status == 1, "\(run.errors)")
            #expect(run.errors.contains(broker.directory), "\(run.errors)")
            #expect(run.errors.contains("remedy:"), "\(run.errors)")
            #expect(try await TestHTTP(broker).get("/readyz").status == 200)
        }

        @Test func `because it would be open to everybody says so`() async throws {
            let program = SluiceProgram(connectionFile: "/nonexistent/connection.json")
            let run = try await program.run(
                "serve", "--auth", "none", "--listen", "https://0.0.0.0:0", "--data-dir",
                program.home + "/data")
            #expect(run.status == 2, "\(run.errors)")
            #expect(run.errors.contains("remedy:"), "\(run.errors)")
            #expect(run.errors.contains("auth"), "\(run.errors)")
        }

        @Test func `because its port is taken says so`() async throws {
            let broker = try await TestBroker.shared
            let program = SluiceProgram(connectionFile: "/nonexistent/connection.json")
            let run = try await program.run(
                "serve", "--listen", "https://127.0.0.1:\(broker.port)", "--data-dir",
                TestDirectories.make(), "--connection-file", program.home + "/connection.json")
            #expect(run.status == 1, "\(run.errors)")
            #expect(run.errors.contains("\(broker.port)"), "\(run.errors)")
            #expect(run.errors.contains("--listen"), "\(run.errors)")
        }
    }
}
