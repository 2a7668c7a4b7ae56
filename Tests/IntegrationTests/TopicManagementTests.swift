import BrokerRuntime
import EventModel
import NIOHTTP1
import PostgresCluster
import SessionProtocol
import SluiceClient
import Testing

extension EndToEnd {
    @Suite("Topics managed") struct TopicManagementTests {
        private let broker: TestBroker
        private let program: SluiceProgram
        private let http: TestHTTP

        init() async throws {
            broker = try await TestBroker.shared
            program = SluiceProgram(broker)
            http = TestHTTP(broker)
        }

        /// A session that is live on a topic with the numbers of `range`.
        private func subscriber(
            to topic: String, _ range: ClosedRange<Int>
        ) async throws -> TestSocket {
            try await http.publish(topic, numbers: range)
            let session = try await TestSocket.session(broker)
            session.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)"}"#)
            _ = try await session.messages { $0 == .live(id: 1) }
            return session
        }

        @Test func `that are deleted tell their subscribers, and free the name`() async throws {
            let topic = freshTopic()
            let session = try await subscriber(to: topic, 1...3)
            let refused = try await program.run("topic", "delete", topic)
            #expect(refused.status == 2)
            #expect(
                refused.errors.contains("This would delete \(topic): 3 events, 3 B."),
                "\(refused.errors)")
            let deleted = try await program.run("topic", "delete", topic, "--yes")
            #expect(deleted.status == 0, "\(deleted.errors)")
            #expect(deleted.lines == ["deleted \(topic): 3 events, 3 B"])
            let messages = try await session.messages {
                if case .reset = $0 { true } else { false }
            }
            guard case .reset(let reset) = messages.last else { return }
            #expect(reset.topic.text == topic && reset.reason == "deleted")
            #expect(try await http.get("/v1/topics/\(topic)").status == 404)
            #expect(try await program.run("topic", "delete", topic, "--yes").status == 4)
            try await http.publish(topic, numbers: 1...1)
            #expect(try await session.data(1) == ["1"])
        }

        @Test func `that are purged keep their offsets, and tell a gap`() async throws {
            let topic = freshTopic()
            let session = try await subscriber(to: topic, 1...5)
            let some = try await program.run("topic", "purge", topic, "--before", "3", "--yes")
            #expect(some.lines == ["purged \(topic): 2 events"], "\(some.errors)")
            let late = try await TestSocket.session(broker)
            late.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)","from":"offset:1"}"#)
            let messages = try await late.messages { $0 == .live(id: 1) }
            let gaps = messages.compactMap { if case .gap(let gap) = $0 { gap } else { nil } }
            #expect(gaps.map(\.from) == [1] && gaps.map(\.to) == [2])
            #expect(gaps.map(\.reason) == ["purged"])
            let all = try await program.run("topic", "purge", topic, "--yes", "--json")
            let fields = try JSONFields(all.output)
            #expect(fields.integer("purged") == 3 && fields.integer("earliest") == 6)
            let none = try await program.run("topic", "purge", topic)
            #expect(none.status == 0 && none.errors.contains("no events"), "\(none.errors)")
            try await http.publish(topic, numbers: 6...6)
            #expect(try await session.data(1) == ["6"])
        }

        @Test func `are altered, one or all of a pattern`() async throws {
            let base = freshTopic()
            for name in ["a", "b"] {
                #expect(try await program.run("topic", "create", "\(base).\(name)").status == 0)
            }
            let one = try await program.run(
                "topic", "alter", "\(base).a", "--description", "x", "--overflow", "conflate",
                "--event-bytes", "1KiB")
            #expect(one.status == 0, "\(one.errors)")
            let asked = try await program.run("topic", "alter", "\(base).>", "--retain-age", "7d")
            #expect(asked.status == 2)
            #expect(
                asked.errors.contains("\(base).a (0 events, 0 B): retain age default to 7d"),
                "\(asked.errors)")
            let both = try await program.run(
                "topic", "alter", "\(base).>", "--retain-age", "7d", "--yes", "--json")
            let altered = try both.output.lines.map { try JSONFields($0) }
            #expect(altered.map { $0.object("retain")?.text("age") } == ["7d", "7d"])
            #expect(altered.map { $0.text("description") } == ["x", ""])
            let described = try await program.run("topic", "describe", "\(base).a")
            #expect(described.lines.contains("kept bytes   default (unlimited)"))
            #expect(described.lines.contains("event size   1.0 KiB"))
            let again = try await program.run("topic", "alter", "\(base).>", "--retain-age", "7d")
            #expect(again.status == 0 && again.errors.contains("nothing to change"))
            for wrong in [["--retain-age", "7"], []] {
                let run = try await program.run(["topic", "alter", "\(base).a"] + wrong)
                #expect(run.status == 2, "\(run.errors)")
            }
            let nobody = try await program.run(
                "topic", "alter", "\(base).c", "--overflow", "replay")
            #expect(nobody.status == 4)
            let none = try await program.run("topic", "delete", "\(base).x.>", "--yes")
            #expect(none.status == 4, "\(none.errors)")
        }

        @Test func `are exported and imported with all that belongs to an event, once`()
            async throws
        {
            let (from, to) = (freshTopic("from"), freshTopic("to"))
            var lines = (1...1500).map { #"{"topic":"\#(from)","data":\#($0)}"# }
            lines[0] =
                #"{"topic":"\#(from)","data":{"n":1.10},"key":"k","event_id":"e","#
                + #""attributes":{"x":"y"}}"#
            let published = try await http.publishMany(lines)
            #expect(published.status == 201, "\(published.body.text)")
            let exported = try await program.run("topic", "export", from)
            #expect(exported.status == 0 && exported.lines.count == 1500, "\(exported.errors)")
            #expect(
                exported.errors.contains("exported 1,500 events, "), "\(exported.errors)")
            let file = program.home + "/events.ndjson"
            // It breaks off, and is run again.
            let part = exported.lines.prefix(700).joined(separator: "\n")
            try writeFile(part.utf8, to: file)
            let first = try await program.run("topic", "import", to, file)
            #expect(first.errors.contains("imported 700 events"), "\(first.errors)")
            try writeFile(exported.output, to: file)
            let second = try await program.run("topic", "import", to, file)
            #expect(second.status == 0, "\(second.errors)")
            #expect(second.errors.contains("700 of them imported before"), "\(second.errors)")
            let copy = try await program.run("topic", "export", to)
            #expect(
                try copy.output.lines.map { try JSONFields($0).raw("data")?.text }
                    == exported.output.lines.map { try JSONFields($0).raw("data")?.text })
            let event = try await http.get("/v1/topics/\(to)/events/1").fields()
            #expect(event.text("key") == "k" && event.text("event_id") == "e")
            #expect(event.raw("attributes")?.text == #"{"x":"y"}"#)

            let cursor = try #require(try JSONFields(exported.output.lines[1497]).text("cursor"))
            let rest = try await program.run("topic", "export", from, "--from", "after:\(cursor)")
            #expect(rest.lines == Array(exported.lines[1498...]), "\(rest.errors)")
            #expect(try await program.run("topic", "delete", from, "--yes").status == 0)
            try await http.publish(from, numbers: 1...1)
            let gone = try await program.run("topic", "export", from, "--from", "after:\(cursor)")
            #expect(gone.status == 4 && gone.errors.contains("(recreated)"), "\(gone.errors)")
        }

        @Test func `take effect at another broker within two seconds`() async throws {
            let database = try PostgresCluster.shared.freshDatabase()
            let here = try await TestBroker.start {
                $0.databaseURL = database
                $0.node = "one"
            }
            let there = try await TestBroker.start {
                $0.databaseURL = database
                $0.node = "two"
            }
            let topic = freshTopic("managed")
            let (one, two) = (TestHTTP(here), TestHTTP(there, token: here.token))
            try await two.publish(topic, numbers: 1...3)
            let session = try await TestSocket.open(there, token: here.token)
            session.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)"}"#)
            _ = try await session.messages { $0 == .live(id: 1) }
            let clock = ContinuousClock()
            let patched = try await one.send(
                .PATCH, "/v1/topics/\(topic)", ["content-type": "application/merge-patch+json"],
                Array(#"{"event_bytes":3}"#.utf8))
            #expect(patched.status == 200, "\(patched.body.text)")
            let altered = clock.now
            try await eventually("the new limit") {
                try await two.publish(topic, "12345").status == 413
            }
            #expect(clock.now - altered < .seconds(2))
            let etag = try #require(patched.headers.first(name: "etag"))
            let deleted = try await one.send(.DELETE, "/v1/topics/\(topic)", ["if-match": etag])
            #expect(deleted.status == 200, "\(deleted.body.text)")
            let gone = clock.now
            _ = try await session.messages { if case .reset = $0 { true } else { false } }
            #expect(clock.now - gone < .seconds(2))
            try await here.stop()
            try await there.stop()
        }
    }
}
