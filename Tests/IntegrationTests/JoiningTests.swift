import RepeatableChance
import EventModel
import SessionProtocol
import Testing

extension EndToEnd {
    @Suite("Subscribers that come while events flow") struct JoiningTests {
        private let topics: [String]
        private let base = freshTopic("flow")
        private let rounds = 60

        init() { topics = [".a", ".b", ".c"].map { [base] in base + $0 } }

        @Test func `get every event from their start on, however the two meet`() async throws {
            let broker = try await TestBroker.shared
            let random = SeededGenerator()
            print("seed \(random.seed)")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for topic in topics {
                    group.addTask { try await publish(to: topic, at: broker) }
                }
                for reader in UInt64(0)..<4 {
                    group.addTask {
                        var random = SeededGenerator(seed: random.seed &+ reader)
                        for _ in 1...8 { try await join(broker, using: &random) }
                    }
                }
                try await group.waitForAll()
            }
        }

        /// Requests of one to five events, then the event that says that it was the last.
        private func publish(to topic: String, at broker: TestBroker) async throws {
            let http = TestHTTP(broker)
            var number = 0
            for round in 1...rounds {
                let count = round % 5 + 1
                try await http.publish(topic, numbers: number + 1...number + count)
                number += count
            }
            #expect(try await http.publish(topic, #""end""#).status == 201)
        }

        private func join(
            _ broker: TestBroker, using random: inout SeededGenerator
        ) async throws {
            let names = topics.map { "\"\($0)\"" }.joined(separator: ",")
            let what =
                Bool.random(using: &random) ? "\"topics\":[\(names)]" : "\"topic\":\"\(base).*\""
            let starts = ["earliest", "last:3", "ago:1h"]
            let start = starts.randomElement(using: &random) ?? "earliest"
            let session = try await TestSocket.session(broker)
            session.send("{\"type\":\"subscribe\",\"id\":1,\(what),\"from\":\"\(start)\"}")
            var open = Set(topics)
            var seen: Set<String> = []
            while !open.isEmpty {
                let event = try await session.events(1)[0]
                let data = event.event.content.data.text
                if seen.insert(event.topic.text).inserted, start != "last:3" {
                    #expect(event.event.offset == 1, "\(start)")
                }
                if data == #""end""# {
                    open.remove(event.topic.text)
                } else {
                    #expect(data == "\(event.event.offset)")
                }
            }
        }
    }
}
