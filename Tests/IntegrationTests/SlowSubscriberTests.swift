import RepeatableChance
import BrokerRuntime
import EventModel
import SessionProtocol
import Testing

extension EndToEnd {
    @Suite("A subscriber that reads slowly") struct SlowReaderTests {
        @Test func `stays connected, many times longer than a ping may take`() async throws {
            let broker = try await TestBroker.start { configuration in
                configuration.limits.heartbeatInterval = .seconds(1)
            }
            let topic = freshTopic()
            let count = 60
            var random = SeededGenerator()
            print("seed \(random.seed)")
            let event = SampleEvents.text(bytes: 256 << 10, using: &random)
            let http = TestHTTP(broker)
            for _ in 1...count {
                let answer = try await http.publish(topic, event)
                try #require(answer.status == 201, "\(answer.body.text)")
            }
            let slow = try await TestSocket.session(broker)
            slow.read(bytesPerSecond: 256 << 10)
            slow.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)","from":"earliest"}"#)
            let began = ContinuousClock.now
            var events = try await slow.events(10)
            #expect(ContinuousClock.now - began > .seconds(6))
            slow.read(bytesPerSecond: nil)
            events += try await slow.events(count - 10)
            #expect(events.map(\.event.offset) == (1...Offset(count)).map { $0 })
            try await broker.stop()
        }
    }

    @Suite("A subscriber that stops reading") struct SlowSubscriberTests {
        /// More than the kernel keeps for a socket on the way.
        private let count = 80
        private let bytes = 256 << 10

        @Test func `lags, holds up nobody, and gets everything later`() async throws {
            let broker = try await TestBroker.start { $0.limits.backlogBytesMax = 1 << 20 }
            let topic = freshTopic()
            let slow = try await TestSocket.session(broker)
            let quick = try await TestSocket.session(broker)
            for session in [slow, quick] {
                session.send(#"{"type":"subscribe","id":1,"topic":"\#(topic)"}"#)
                _ = try await session.messages { $0 == .live(id: 1) }
            }
            slow.pause()
            var random = SeededGenerator()
            print("seed \(random.seed)")
            let http = TestHTTP(broker)
            let event = SampleEvents.text(bytes: bytes, using: &random)
            for number in 1...count {
                let data = Array("[\(number),".utf8) + event + [UInt8(ascii: "]")]
                let answer = try await http.publish(topic, data)
                try #require(answer.status == 201, "\(answer.body.text)")
                // The other one gets each event while the first is stuck.
                let delivered = try await quick.events(1)[0]
                try #require(delivered.event.content.data == data)
            }

            slow.resume()
            let messages = try await slow.messages { $0 == .live(id: 1) }
            let events = messages.compactMap { message in
                if case .event(let event) = message { event } else { nil }
            }
            let laggings = messages.compactMap { message in
                if case .lagging(_, let behind) = message { behind } else { nil }
            }
            #expect(events.map(\.event.offset) == (1...Offset(count)).map { $0 })
            for (number, event) in zip(1..., events) {
                #expect(event.event.content.data.starts(with: "[\(number),".utf8))
            }
            #expect(laggings.count == 1)
            #expect((laggings.first ?? 0) > 0)

            try await http.publish(topic, numbers: 7...7)
            #expect(try await slow.data(1) == ["7"])
            try await broker.stop()
        }
    }
}
