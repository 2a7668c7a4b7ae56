import EventModel
import SessionProtocol
import Testing

extension EndToEnd {
    @Suite("Credentials of a session") struct CredentialTests {
        private let broker: TestBroker
        private let stranger = "slc_0123456789_" + String(repeating: "a", count: 40)

        init() async throws { broker = try await TestBroker.shared }

        @Test func `may be the first message`() async throws {
            let session = try await TestSocket.open(broker, token: nil)
            session.send(#"{"type":"auth","token":"\#(broker.token ?? "")"}"#)
            guard case .welcome = try await session.message() else {
                throw TimedOut(what: "welcome")
            }
            guard case .authenticated = try await session.message() else {
                throw TimedOut(what: "authenticated")
            }
        }

        @Test func `may be an offered subprotocol, which is never echoed`() async throws {
            let session = try await TestSocket.open(
                broker, subprotocols: ["bearer.\(broker.token ?? "")", "sluice.v1"], token: nil)
            #expect(session.subprotocol == "sluice.v1")
            guard case .welcome = try await session.message() else {
                throw TimedOut(what: "welcome")
            }
        }

        @Test func `that are bad in the header are answered 401`() async throws {
            let refused = try await #require(throws: TestSocket.Refused.self) {
                try await TestSocket.open(broker, token: stranger)
            }
            try refused.answer.expectProblem(401, .unauthorized)
        }

        @Test func `that are bad in the subprotocol or a message are closed 4202`() async throws {
            let offered = try await TestSocket.open(
                broker, subprotocols: ["sluice.v1", "bearer.\(stranger)"], token: nil)
            #expect(try await offered.error().code == "unauthorized")
            #expect(try await offered.close() == (4202, "unauthorized"))

            let said = try await TestSocket.open(broker, token: nil)
            said.send(#"{"type":"auth","token":"\#(stranger)"}"#)
            #expect(try await said.error().code == "unauthorized")
            #expect(try await said.close() == (4202, "unauthorized"))
        }

        @Test func `are needed before anything else`() async throws {
            let session = try await TestSocket.open(broker, token: nil)
            session.send(#"{"type":"subscribe","id":3,"topic":"a"}"#)
            let error = try await session.error()
            #expect(error.code == "unauthorized")
            #expect(error.id == 3)
        }

        @Test func `that do not come in time end the session 4203`() async throws {
            let session = try await TestSocket.open(try await .impatient, token: nil)
            #expect(try await session.error().code == "unauthorized")
            #expect(try await session.close() == (4203, "auth_timeout"))
        }

        @Test func `do not help a page of another site`() async throws {
            let refused = try await #require(throws: TestSocket.Refused.self) {
                try await TestSocket.open(
                    broker, token: broker.token, headers: [("Origin", "https://evil.example")])
            }
            try refused.answer.expectProblem(403, .originRefused)
            let own = "https://127.0.0.1:\(broker.port)"
            _ = try await TestSocket.open(broker, token: broker.token, headers: [("Origin", own)])
        }

        @Test func `of a stream come with the request, or it is answered 401`() async throws {
            let path = "/v1/topics/\(freshTopic())/events"
            for token in [nil, stranger] {
                let refused = try await #require(throws: TestSocket.Refused.self) {
                    try await TestSocket.open(
                        broker, path, subprotocols: ["sluice.events.v1"], token: token)
                }
                #expect(refused.answer.status == 401)
            }
        }

        @Test func `of a stream's subprotocol are refused where a browser can read it`()
            async throws
        {
            let stream = try await TestSocket.open(
                broker, "/v1/topics/\(freshTopic())/events",
                subprotocols: ["sluice.events.v1", "bearer.\(stranger)"], token: nil)
            #expect(try await stream.error().code == "unauthorized")
            #expect(try await stream.close() == (4202, "unauthorized"))
        }
    }

    @Suite("A quiet session") struct QuietSessionTests {
        @Test func `is told that the broker lives`() async throws {
            let broker = try await TestBroker.impatient
            let session = try await TestSocket.session(broker)
            for _ in 1...2 {
                while true {
                    if case .message(.heartbeat, _) = try await session.next() { break }
                }
            }
        }
    }
}
