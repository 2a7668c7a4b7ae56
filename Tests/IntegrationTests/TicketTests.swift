import BrokerRuntime
import EventModel
import NIOCore
import NIOHTTP1
import PostgresBridge
import PostgresCluster
import SessionProtocol
import SluiceClient
import Testing
import Transport

extension EndToEnd {
    @Suite("Tickets") struct TicketTests {
        private static let stranger = "slt_" + String(repeating: "z", count: 40)

        private func ticket(_ broker: TestBroker, token: String? = nil) async throws -> String {
            let answer = try await TestHTTP(broker, token: token).send(.POST, "/v1/tickets")
            try #require(answer.status == 201, "\(answer.body.text)")
            #expect(answer.headers["cache-control"] == ["no-store"])
            return try #require(try answer.fields().text("ticket"))
        }

        /// Without a token.
        private func get(_ broker: TestBroker, _ path: String) async throws -> TestAnswer {
            let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path)
            let answer = try await TestHTTP.connect(broker).send(head, timeout: .seconds(60)).get()
            return TestAnswer(answer.0, answer.1)
        }

        private func open(_ broker: TestBroker, _ path: String) async throws -> TestSocket {
            try await TestSocket.open(broker, path, subprotocols: [], token: nil)
        }

        private func expectWelcome(_ session: TestSocket) async throws {
            guard case .welcome = try await session.message() else {
                throw TimedOut(what: "welcome")
            }
        }

        @Test func `open a session, a stream and a page, each once`() async throws {
            let broker = try await TestBroker.shared
            let topic = freshTopic()
            let path = "/v1/topics/\(topic)/events"
            try await TestHTTP(broker).publish(topic, numbers: 1...3)

            let ofSession = try await ticket(broker)
            let session = try await open(broker, "/v1/connect?ticket=\(ofSession)")
            try await expectWelcome(session)
            let ofStream = try await ticket(broker)
            let stream = try await open(broker, "\(path)?from=earliest&ticket=\(ofStream)")
            #expect(try await stream.data(3) == ["1", "2", "3"])
            let ofPage = try await ticket(broker)
            let page = try await get(broker, "\(path)?limit=2&ticket=\(ofPage)")
            #expect(page.status == 200)
            let link = try #require(page.headers.first(name: "link"))
            #expect(link.contains("limit=2") && !link.contains("ticket"))

            for used in [ofSession, ofStream, ofPage, Self.stranger, "slt_"] {
                for path in ["/v1/connect?ticket=\(used)", "\(path)?ticket=\(used)"] {
                    let refused = try await open(broker, path)
                    let error = try await refused.error()
                    #expect(error.code == "unauthorized")
                    #expect(error.remedy.contains("POST /v1/tickets"))
                    #expect(try await refused.close() == (4202, "unauthorized"))
                }
                try await get(broker, "\(path)?ticket=\(used)").expectProblem(401, .unauthorized)
            }
        }

        @Test func `are good once on all nodes, and end with their token`() async throws {
            let conninfo = try PostgresCluster.shared.freshDatabase()
            var brokers: [TestBroker] = []
            for node in ["one", "two"] {
                brokers.append(
                    try await TestBroker.start { configuration in
                        configuration.databaseURL = conninfo
                        configuration.node = node
                        configuration.limits.revocationInterval = .seconds(1)
                    })
            }
            let (one, two) = (brokers[0], brokers[1])
            let token = try #require(one.token)
            for _ in 1...5 {
                let ticket = try await ticket(one, token: token)
                let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                    for broker in [one, two, one, two] {
                        group.addTask {
                            try await get(broker, "/v1/topics?ticket=\(ticket)").status
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(statuses.sorted() == [200, 401, 401, 401])
            }

            let session = try await open(
                two, "/v1/connect?ticket=\(try await ticket(one, token: token))")
            try await expectWelcome(session)
            let stream = try await open(
                two, "/v1/topics/a/events?ticket=\(try await ticket(one, token: token))")
            let unused = try await ticket(one, token: token)
            let database = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
            defer { database.close() }
            _ = try database.query("UPDATE sluice.tokens SET revoked_at = clock_timestamp()")
            for socket in [session, stream] {
                #expect(try await socket.close() == (4201, "token_revoked"))
            }
            let answer = try await get(two, "/v1/topics?ticket=\(unused)")
            try answer.expectProblem(401, .unauthorized)
            #expect(try answer.fields().text("detail") == "The token was revoked.")
            for broker in brokers { try await broker.stop() }
        }

        @Test func `and tokens are never logged, however they come`() async throws {
            let log = KeptLog()
            let broker = try await TestBroker.start(logger: log.logger())
            let token = try #require(broker.token)
            let forged = String(token.dropLast(4)) + "AAAA"
            let http = TestHTTP(broker)
            var secrets = [token, forged, Self.stranger]
            for path in ["/v1/connect", "/v1/topics/a/events", "/v1/topics", "/v1/nothing"] {
                let ticket = try await ticket(broker)
                secrets.append(ticket)
                for credential in [ticket, ticket, Self.stranger, token, "\(ticket)%zz"] {
                    let target = "\(path)?ticket=\(credential)"
                    let page = try await get(broker, target)
                    #expect(!page.body.text.contains(credential), "\(target)")
                    if let socket = try? await open(broker, target) { socket.vanish() }
                    for method in [HTTPMethod.GET, .POST, .PUT, .OPTIONS, .TRACE] {
                        let answer = try await http.send(method, "\(target)&x=\(credential)")
                        #expect(!answer.body.text.contains(credential), "\(method) \(target)")
                    }
                }
                _ = try await http.send(.GET, path, ["authorization": "Bearer \(forged)"])
                let offered = try await TestSocket.open(
                    broker, subprotocols: ["sluice.v1", "bearer.\(forged)"], token: nil)
                _ = try await offered.close()
                let said = try await TestSocket.open(broker, token: nil)
                said.send(#"{"type":"auth","token":"\#(forged)"}"#)
                _ = try await said.close()
            }
            try await broker.stop()
            let text = log.text
            #expect(text.contains("listening"))
            for secret in secrets {
                #expect(!text.contains(secret.suffix(40)), "it is in the log")
            }
        }
    }

    @Suite("Pages of other origins") struct CrossOriginTests {
        @Test func `use HTTP and WebSockets if they are listed`() async throws {
            let broker = try await TestBroker.start { configuration in
                configuration.origins = ["https://*.example.com"]
            }
            let http = TestHTTP(broker)
            let page = "https://app.example.com"
            let preflight = try await http.send(
                .OPTIONS, "/v1/topics/a/events",
                [
                    "origin": page, "access-control-request-method": "POST",
                    "access-control-request-headers": "authorization,content-type",
                ])
            #expect(preflight.status == 204)
            #expect(preflight.headers["access-control-allow-origin"] == [page])
            #expect(preflight.headers["access-control-max-age"] == ["7200"])
            let published = try await http.publish("a", "1", ["origin": page])
            #expect(published.status == 201)
            #expect(published.headers["access-control-allow-origin"] == [page])
            let all = try await http.send(.OPTIONS, "*")
            #expect(all.status == 204)
            #expect(all.headers["allow"] == ["GET, HEAD, POST, PUT, PATCH, DELETE"])
            let large = try await http.send(
                .POST, "/v1/tickets", ["origin": page], Array(repeating: 32, count: 100_000))
            #expect(large.status == 413)
            #expect(large.headers["access-control-allow-origin"] == [page])
            _ = try await TestSocket.open(
                broker, token: broker.token, headers: [("Origin", page)])
            let foreign = "https://app.example.com.evil.example"
            let refused = try await #require(throws: TestSocket.Refused.self) {
                try await TestSocket.open(
                    broker, token: broker.token, headers: [("Origin", foreign)])
            }
            try refused.answer.expectProblem(403, .originRefused)
            let unread = try await http.publish("a", "2", ["origin": foreign])
            #expect(unread.headers["access-control-allow-origin"] == [])
            try await broker.stop()
        }
    }
}
