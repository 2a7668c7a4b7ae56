import BrokerRuntime
import EventModel
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
