import EventModel
import NIOHTTP1
import SessionProtocol
import SluiceClient
import Testing

extension EndToEnd {
    @Suite("Grants of a token") struct GrantTests {
        private let broker: TestBroker

        init() async throws { broker = try await TestBroker.shared }

        private func token(_ options: String...) async throws -> String {
            let program = SluiceProgram(connectionFile: broker.connectionFile)
            let made = try await program.run(
                ["token", "create", "--name", "test", "--data-dir", broker.directory] + options)
            return try #require(made.lines.first, "\(made.errors)")
        }

        @Test func `say which topics it publishes to, whether there are such topics or not`()
            async throws
        {
            let base = freshTopic()
            let token = try await token("--publish", "\(base).in.>", "--publish", "\(base).own")
            let owner = TestHTTP(broker)
            let http = TestHTTP(broker, token: token)
            for name in ["in.a", "in.b.c", "own"] {
                #expect(try await http.publish("\(base).\(name)", "1").status == 201)
            }
            #expect(try await owner.publish("\(base).out", "1").status == 201)
            var told: Set<String> = []
            for name in ["out", "missing"] {
                let refused = try await http.publish("\(base).\(name)", "1")
                try refused.expectProblem(403, .forbidden)
                #expect(try refused.fields().text("committed") == "no")
                let detail = try #require(try refused.fields().text("detail"))
                told.insert(detail.replacing(name, with: "NAME"))
            }
            #expect(told.count == 1)
            // One of a batch refuses all of it.
            let lines =
                #"{"topic":"\#(base).own","data":2}"# + "\n"
                + #"{"topic":"\#(base).out","data":2}"#
            let batch = try await http.send(
                .POST, "/v1/events", ["content-type": "application/x-ndjson"], Array(lines.utf8))
            try batch.expectProblem(403, .forbidden)
            #expect(try await owner.log(of: "\(base).own") == ["1"])
        }

        @Test func `narrow a subscription, also for topics that come later`() async throws {
            let base = freshTopic()
            let token = try await token("--subscribe", "\(base).*.public")
            let owner = TestHTTP(broker)
            try await owner.publish("\(base).a.public", numbers: 1...1)
            try await owner.publish("\(base).a.secret", numbers: 1...1)
            let session = try await TestSocket.open(broker, token: token)
            _ = try await session.message()
            session.send(
                #"{"type":"subscribe","id":1,"topic":"\#(base).>","from":"earliest"}"#)
            guard case .subscribed(let subscribed) = try await session.message() else {
                throw TimedOut(what: "subscribed")
            }
            #expect(subscribed.granted?.map(\.text) == ["\(base).*.public"])
            #expect(subscribed.topics.isEmpty)
            #expect(try await session.events(1)[0].topic.text == "\(base).a.public")
            try await owner.publish("\(base).b.secret", numbers: 1...1)
            try await owner.publish("\(base).b.public", numbers: 1...1)
            #expect(try await session.events(1)[0].topic.text == "\(base).b.public")
            session.send(#"{"type":"subscribe","id":2,"topic":"\#(base).a.public"}"#)
            let overlap = try await session.error()
            #expect(overlap.code == "overlap")
            session.send(#"{"type":"publish","id":4,"topic":"\#(base).a.public","data":1}"#)
            #expect(try await session.error().code == "forbidden")
        }

        @Test func `refuse a subscription with which they have nothing in common`() async throws {
            let base = freshTopic()
            let token = try await token("--subscribe", "\(base).*.public")
            try await TestHTTP(broker).publish("\(base).secret", numbers: 1...1)
            let session = try await TestSocket.open(broker, token: token)
            _ = try await session.message()
            for topic in ["\(base).secret", "\(base).none", "other.>", "sluice.>"] {
                session.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)"}"#)
                let error = try await session.error()
                #expect(error.code == "forbidden")
                #expect(error.message == "The token does not allow to subscribe to \(topic).")
            }
        }

        @Test func `hold for pages, streams and tickets`() async throws {
            let base = freshTopic()
            let token = try await token("--subscribe", "\(base).open")
            let owner = TestHTTP(broker)
            for name in ["open", "closed"] {
                try await owner.publish("\(base).\(name)", numbers: 1...2)
            }
            let http = TestHTTP(broker, token: token)
            #expect(try await http.log(of: "\(base).open") == ["1", "2"])
            for name in ["closed", "missing"] {
                let path = "/v1/topics/\(base).\(name)/events"
                try await http.send(.GET, path).expectProblem(403, .forbidden)
                try await http.send(.GET, "\(path)/1").expectProblem(403, .forbidden)
                try await http.send(.GET, "/v1/topics/\(base).\(name)")
                    .expectProblem(403, .forbidden)
                let refused = try await #require(throws: TestSocket.Refused.self) {
                    try await TestSocket.open(broker, path, subprotocols: [], token: token)
                }
                try refused.answer.expectProblem(403, .forbidden)
            }
            let answer = try await http.send(.POST, "/v1/tickets")
            let ticket = try #require(try answer.fields().text("ticket"))
            let session = try await TestSocket.open(
                broker, "/v1/connect?ticket=\(ticket)", subprotocols: [], token: nil)
            _ = try await session.message()
            session.send(#"{"type":"subscribe","id":1,"topic":"\#(base).closed"}"#)
            #expect(try await session.error().code == "forbidden")
            session.send(#"{"type":"subscribe","id":2,"topic":"\#(base).>","from":"earliest"}"#)
            #expect(try await session.data(2) == ["1", "2"])
        }

        @Test func `say which topics are listed, and who manages them`() async throws {
            let base = freshTopic()
            let owner = TestHTTP(broker)
            for name in ["a.x", "a.y", "b.x", "b.y", "c"] {
                try await owner.publish("\(base).\(name)", numbers: 1...1)
            }
            let reader = TestHTTP(
                broker,
                token: try await token(
                    "--subscribe", "\(base).*.x", "--subscribe", "\(base).a.>"))
            let list = "/v1/topics?match=\(base).%3E"
            var seen: [String] = []
            var path: String? = "\(list)&limit=2"
            while let page = path {
                let answer = try await reader.send(.GET, page)
                try #require(answer.status == 200, "\(answer.body.text)")
                seen += answer.body.text.matches(of: /"topic":"([^"]*)"/).map { String($0.1) }
                path = answer.headers.first(name: "link")?.firstMatch(of: /<(.*)>/).map {
                    String($0.1)
                }
            }
            #expect(seen == ["\(base).a.x", "\(base).a.y", "\(base).b.x"])
            try await reader.send(.DELETE, "/v1/topics/\(base).a.x").expectProblem(403, .forbidden)

            let manager = TestHTTP(broker, token: try await token("--admin", "topics"))
            let all = try await manager.send(.GET, list)
            #expect(all.body.text.matches(of: /"topic":"/).count == 5)
            #expect(try await manager.send(.GET, "/v1/topics/\(base).c").status == 200)
            try await manager.send(.GET, "/v1/topics/\(base).c/events")
                .expectProblem(403, .forbidden)
            try await manager.publish("\(base).c", "1").expectProblem(403, .forbidden)
            #expect(try await manager.send(.DELETE, "/v1/topics/\(base).c").status == 200)
        }

        @Test func `are told, and refused when they are none`() async throws {
            let program = SluiceProgram(connectionFile: broker.connectionFile)
            let place = ["--data-dir", broker.directory]
            let made = try await program.run(
                ["token", "create", "--name", "told", "--publish", "a.>", "--admin", "topics"]
                    + place)
            #expect(made.errors.contains("It may publish to a.>; manage topics."))
            let listed = try await program.run(["token", "list", "--json"] + place)
            #expect(
                listed.lines.contains {
                    $0.contains(#""name":"told""#)
                        && $0.contains(
                            #""grants":{"publish":["a.>"],"subscribe":[],"admin":["topics"]}"#)
                })
            for options in [["--admin", "all"], ["--publish", "a..b"], ["--subscribe", "a.>.b"]] {
                let refused = try await program.run(["token", "create"] + options + place)
                #expect(refused.status != 0)
                #expect(refused.lines == [])
            }
        }
    }
}
