import BrokerRuntime
import EventModel
import NIOHTTP1
import PostgresBridge
import PostgresCluster
import SessionProtocol
import SluiceClient
import Testing

extension EndToEnd {
    @Suite("Two brokers on one database") struct SeveralBrokersTests {
        @Test func `deliver what is published at the other one, and from SQL`() async throws {
            let database = try PostgresCluster.shared.freshDatabase()
            // Both create the schema at once.
            async let starting = TestBroker.start { configuration in
                configuration.databaseURL = database
                configuration.node = "one"
            }
            let second = try await TestBroker.start { configuration in
                configuration.databaseURL = database
                configuration.node = "two"
            }
            let first = try await starting
            let base = freshTopic("shared")

            let session = try await TestSocket.open(second, token: first.token)
            guard case .welcome = try await session.message() else {
                throw TimedOut(what: "welcome")
            }
            session.send(#"{"type":"subscribe","id":1,"topic":"\#(base).>"}"#)
            _ = try await session.messages { $0 == .live(id: 1) }

            let here = TestHTTP(first)
            let there = TestHTTP(second)
            try await here.publish("\(base).a", numbers: 1...3)
            #expect(try await session.data(3) == ["1", "2", "3"])
            for number in 4...40 {
                try await (number % 2 == 0 ? here : there)
                    .publish("\(base).a", numbers: number...number)
            }
            #expect(try await session.data(37) == (4...40).map { "\($0)" })

            let user = try PostgresConnection(PostgresConfiguration(conninfo: database))
            defer { user.close() }
            try user.script(
                """
                BEGIN;
                SELECT sluice.publish('\(base).b', '{"x": 1}'::json);
                SELECT sluice.publish('\(base).b', '{"x":2}'::jsonb);
                SELECT sluice.publish('\(base).b', '[3 ]');
                COMMIT;
                BEGIN; SELECT sluice.publish('\(base).b', '"never"'::json); ROLLBACK;
                """)
            let events = try await session.events(3)
            #expect(events.map(\.topic.text) == Array(repeating: "\(base).b", count: 3))
            #expect(events.map(\.event.offset) == [1, 2, 3])
            #expect(
                events.map(\.event.content.data.text) == [#"{"x": 1}"#, #"{"x": 2}"#, "[3 ]"])

            try await first.stop()
            try await there.publish("\(base).a", numbers: 41...41)
            #expect(try await session.data(1) == ["41"])
            try await second.stop()
        }

        @Test func `deliver what is published to an ephemeral topic at either one`() async throws {
            let database = try PostgresCluster.shared.freshDatabase()
            let first = try await TestBroker.start { configuration in
                configuration.databaseURL = database
                configuration.node = "one"
            }
            let second = try await TestBroker.start { configuration in
                configuration.databaseURL = database
                configuration.node = "two"
            }
            let topic = freshTopic("ephemeral")
            let here = TestHTTP(first)
            let created = try await here.send(
                .PUT, "/v1/topics/\(topic)", ["content-type": "application/json"],
                Array(#"{"durable":false}"#.utf8))
            #expect(created.status == 201)
            var sessions: [TestSocket] = []
            for broker in [first, second] {
                let session = try await TestSocket.open(broker, token: first.token)
                session.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)"}"#)
                _ = try await session.messages { $0 == .live(id: 1) }
                sessions.append(session)
            }
            let large = "\"" + String(repeating: "é", count: 5000) + "\""
            let answer = try await here.publish(topic, large)
            #expect(try answer.fields().integer("first_offset") == 1)
            sessions[1].send(
                #"{"type":"publish","id":2,"topic":"\#(topic)","data":{"x": 2},"key":"k"}"#)
            for session in sessions {
                let events = try await session.events(2)
                #expect(events.map(\.event.offset) == [1, 2])
                #expect(events.map(\.event.content.data.text) == [large, #"{"x": 2}"#])
                #expect(events[1].event.content.key == "k")
            }
            let page = try await here.get("/v1/topics/\(topic)/events?from=latest")
            #expect(try page.fields().integer("earliest") == 3)
            try await here.publish(topic, "1", ["idempotency-key": "k"])
                .expectProblem(400, .ephemeralTopic)
            try await first.stop()
            try await second.stop()
        }

        @Test func `take cursors of topics that the other one created a moment ago`() async throws {
            let database = try PostgresCluster.shared.freshDatabase()
            let first = try await TestBroker.start { configuration in
                configuration.databaseURL = database
                configuration.node = "one"
            }
            let second = try await TestBroker.start { configuration in
                configuration.databaseURL = database
                configuration.node = "two"
            }
            let base = freshTopic("moment")
            let session = try await TestSocket.open(second, token: first.token)
            guard case .welcome = try await session.message() else {
                throw TimedOut(what: "welcome")
            }
            let here = TestHTTP(first)
            for id in 1...30 {
                let topic = "\(base).\(id).a"
                let answer = try await here.publish(topic, Array("1".utf8))
                let cursor = try #require(try answer.fields().text("cursor"))
                session.send(
                    #"{"type":"subscribe","id":\#(id),"topic":"\#(base).\#(id).*","#
                        + #""cursors":{"\#(topic)":"\#(cursor)"}}"#)
                try await here.publish(topic, numbers: 2...2)
                var offsets: [Offset] = []
                var isLive = false
                while offsets.isEmpty || !isLive {
                    switch try await session.message() {
                    case .event(let event): offsets.append(event.event.offset)
                    case .live: isLive = true
                    case .reset, .gap: Issue.record("nothing was lost")
                    default: continue
                    }
                }
                #expect(offsets == [2])
            }
            try await first.stop()
            try await second.stop()
        }
    }
}
