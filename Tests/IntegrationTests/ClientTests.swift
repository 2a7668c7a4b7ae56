import BrokerRuntime
import EventModel
import PostgresBridge
import PostgresCluster
import SluiceClient
import Testing
import Transport

extension EndToEnd {
    @Suite("The Swift client") struct ClientTests {
        private func client(of broker: TestBroker) throws -> BrokerClient {
            try BrokerClient(
                ClientConfiguration(
                    address: try BrokerAddress("https://127.0.0.1:\(broker.port)"),
                    token: broker.token, caFile: broker.caFile))
        }

        @Test func `lets no event of many say more than its own members`() async throws {
            let broker = try await TestBroker.shared
            let client = try client(of: broker)
            let topic = freshTopic()
            let good = OutgoingEvent(
                topic: topic, data: Array("1".utf8), attributes: Array(" {\"a\":\n\"b\"} ".utf8))
            let smuggled = OutgoingEvent(topic: topic, data: Array(#"2,"event_id":"x""#.utf8))
            let error = await #expect(throws: SluiceError.self) {
                try await client.publish([good, smuggled])
            }
            #expect(error?.code == "invalid_json")
            let results = try await client.publish([good, good])
            #expect(results.map(\.offset) == [1, 2])
            let event = try await TestHTTP(broker).get("/v1/topics/\(topic)/events/1").fields()
            #expect(event.raw("attributes")?.text == #"{"a": "b"}"#)
        }

        @Test(.timeLimit(.minutes(2)))
        func `goes on in more topics than one message has cursors`() async throws {
            let directory = TestDirectories.make()
            let first = try await TestBroker.start(in: directory) {
                $0.limits.topicsPerSubscribeMax = 100
            }
            let topics = (1...250).map { "many.\($0)" }
            let events = topics.map { OutgoingEvent(topic: $0, data: Array("1".utf8)) }
            let subscription = try client(of: first).subscribe(to: ["many.>"], from: "earliest")
            var iterator = subscription.makeAsyncIterator()
            _ = try await client(of: first).publish(events)
            #expect(try await Self.positions(250, &iterator) == Set(topics.map { "\($0) 1" }))
            try await first.stop()
            let second = try await TestBroker.start(in: directory) {
                $0.limits.topicsPerSubscribeMax = 100
                $0.listen = [ListenAddress(isTLS: true, host: "127.0.0.1", port: first.port)]
            }
            _ = try await client(of: second).publish(events)
            #expect(try await Self.positions(250, &iterator) == Set(topics.map { "\($0) 2" }))
            try await second.stop()
        }

        /// The mark is a minute early, so what was there before is made an hour old.
        @Test(.timeLimit(.minutes(2)))
        func `resumes a pattern exactly, whatever came into being while it was away`() async throws
        {
            let directory = TestDirectories.make()
            let database = try PostgresCluster.shared.freshDatabase()
            let first = try await TestBroker.start(in: directory) { $0.databaseURL = database }
            let other = try await TestBroker.start { configuration in
                configuration.databaseURL = database
                configuration.node = "other"
            }
            let publisher = try client(of: first)
            func publish(_ topics: String...) async throws {
                _ = try await publisher.publish(
                    topics.map { OutgoingEvent(topic: $0, data: Array("1".utf8)) })
            }
            try await publish("a.seen", "a.old", "a.quiet", "b.other")
            let user = try PostgresConnection(PostgresConfiguration(conninfo: database))
            defer { user.close() }
            try user.script(
                """
                UPDATE sluice.events SET ts = ts - interval '1 hour';
                UPDATE sluice.topics SET created_at = created_at - interval '1 hour';
                """)
            let subscription = try client(of: first).subscribe(to: ["a.>"])
            var iterator = subscription.makeAsyncIterator()
            guard case .notice(_, let told?)? = try await iterator.next() else {
                throw TimedOut(what: "subscribed")
            }
            #expect(try JSONFields(told).text("resume_from")?.hasPrefix("mark:latest.") == true)
            while case .notice(let notice, _)? = try await iterator.next(), notice != .live {}
            try await publish("a.seen", "a.live")
            #expect(try await Self.positions(2, &iterator) == ["a.seen 2", "a.live 1"])
            try await first.stop()
            let elsewhere = try client(of: other)
            for topic in ["a.seen", "a.live", "a.old", "a.new", "a.new", "b.new"] {
                _ = try await elsewhere.publish([
                    OutgoingEvent(topic: topic, data: Array("2".utf8))
                ])
            }
            let second = try await TestBroker.start(in: directory) { configuration in
                configuration.databaseURL = database
                configuration.listen = [
                    ListenAddress(isTLS: true, host: "127.0.0.1", port: first.port)
                ]
            }
            #expect(
                try await Self.positions(5, &iterator) == [
                    "a.seen 3", "a.live 2", "a.old 2", "a.new 1", "a.new 2",
                ])
            _ = try await elsewhere.publish([
                OutgoingEvent(topic: "a.quiet", data: Array("3".utf8))
            ])
            #expect(try await Self.positions(1, &iterator) == ["a.quiet 2"])
            try await second.stop()
            try await other.stop()
        }

        /// Topics and offsets of the next events.
        private static func positions(
            _ count: Int, _ iterator: inout Subscription.Iterator
        ) async throws -> Set<String> {
            var positions: Set<String> = []
            for _ in 0..<count {
                while let item = try await iterator.next() {
                    guard case .event(let event) = item else { continue }
                    positions.insert("\(event.topic) \(event.offset)")
                    break
                }
            }
            return positions
        }
    }
}
