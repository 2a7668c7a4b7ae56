import EventModel
import Foundation
import NIOHTTP1
import RepeatableChance
import SessionProtocol
import SluiceClient
import Testing

extension EndToEnd {
    @Suite("A stream over HTTP of several topics", .timeLimit(.minutes(5)))
    struct TopicStreamTests {
        private let broker: TestBroker
        private let http: TestHTTP
        private let base = freshTopic("many")

        init() async throws {
            broker = try await TestBroker.shared
            http = TestHTTP(broker)
        }

        private func curl(
            _ path: String, accepting type: String = "text/event-stream", lastEventID: String = ""
        ) throws -> SluiceRun {
            var arguments = [
                "-sN", "--cacert", broker.caFile, "-H", "Accept: \(type)", "-H",
                "Authorization: Bearer \(broker.token ?? "")",
                "https://127.0.0.1:\(broker.port)\(path)",
            ]
            if !lastEventID.isEmpty { arguments += ["-H", "Last-Event-ID: \(lastEventID)"] }
            return try SluiceRun(
                SluiceProgram(broker), arguments, input: [], environment: [:],
                executable: URL(filePath: "/usr/bin/curl"))
        }

        /// Publishes to the topics at random until it is told to stop; gives what was published.
        private func publish(
            to topics: [String], seed: UInt64
        ) -> Task<[String: Int], any Error> {
            Task { [http] in
                var random = SeededGenerator(seed: seed)
                var counts: [String: Int] = [:]
                while !Task.isCancelled {
                    // Some come into being late.
                    let known = min(topics.count, 2 + counts.values.reduce(0, +) / 60)
                    let topic = topics[random.pick(0...known - 1)]
                    let (first, count) = (counts[topic, default: 0] + 1, random.pick(1...4))
                    // What is published is told also when the task ends meanwhile.
                    try await Task.detached {
                        try await http.publish(topic, numbers: first...first + count - 1)
                    }.value
                    counts[topic] = first + count - 1
                }
                return counts
            }
        }

        @Test func `goes on behind its last id alone, wherever it is cut: each event once`()
            async throws
        {
            var random = SeededGenerator()
            print("seed \(random.seed)")
            let topics = ["\(base).one", "\(base).two"] + (1...8).map { "\(base).p.x\($0)" }
            let path =
                "/v1/events?topic=\(base).one&topic=\(base).p.%3E&topic=\(base).two&from=earliest"
            let publishing = publish(to: topics, seed: random.seed)
            var source = TestEventSource()
            for _ in 0..<40 {
                let run = try curl(path, lastEventID: source.lastEventID)
                let wanted = random.pick(0...6000)
                try await eventually("\(wanted) bytes") {
                    try #require(run.isRunning, "\(run.output.text)")
                    return run.output.count >= wanted
                }
                run.crash()
                let output = run.output
                source.take(output.prefix(random.pick(0...output.count)))
            }
            publishing.cancel()
            let counts = try await publishing.value
            let total = counts.values.reduce(0, +)
            let last = try curl(path, lastEventID: source.lastEventID)
            let before = source
            try await eventually("the rest") {
                source = before
                source.take(last.output[...])
                return source.events.count >= total
            }
            last.crash()
            for (topic, count) in counts {
                let offsets = source.events.filter { $0.topic.text == topic }.map(\.event.offset)
                #expect(offsets == (1...Offset(count)).map { $0 }, "\(topic), seed \(random.seed)")
            }
            #expect(source.events.count == total, "seed \(random.seed)")
        }

        @Test func `goes on as lines from the head's position and the messages' cursors`()
            async throws
        {
            try await http.publish("\(base).a", numbers: 1...3)
            let answer = try await http.send(
                .HEAD, "/v1/events?topic=\(base).*&from=earliest",
                ["accept": "application/x-ndjson"])
            let position = try #require(answer.headers.first(name: "sluice-resume-from"))
            let page = try await http.get("/v1/topics/\(base).a/events?limit=2").fields()
            let cursor = try #require(page.text("cursor"))
            try await http.publish("\(base).b", numbers: 1...2)
            let run = try curl(
                "/v1/events?topic=\(base).*&from=\(position)&cursor=\(base).a:\(cursor)",
                accepting: "application/x-ndjson")
            try await eventually("live") { run.output.text.contains(#""type":"live""#) }
            run.crash()
            let told = run.output.lines.compactMap { line -> String? in
                guard case .event(let message) = try? BrokerMessage.decode(line) else { return nil }
                return "\(message.topic.text.dropFirst(base.utf8.count)) \(message.event.offset)"
            }
            #expect(told.sorted() == [".a 3", ".b 1", ".b 2"])
        }

        @Test func `of bare data ends where something is missing, and tells how to go on`()
            async throws
        {
            let topic = "\(base).bare"
            try await http.publish(topic, numbers: 1...3)
            let page = try await http.get("/v1/topics/\(topic)/events?limit=1").fields()
            let start = "after:\(try #require(page.text("cursor")))"
            let path = "/v1/topics/\(topic)/events?view=data"
            let all = try curl("\(path)&follow&from=earliest", accepting: "application/x-ndjson")
            try await eventually("all data") { all.output.text == "1\n2\n3\n" }
            all.crash()
            let purged = try await http.send(.DELETE, "/v1/topics/\(topic)/events?before=3")
            #expect(purged.status == 200)

            let lines = try await curl(
                "\(path)&follow&from=\(start)", accepting: "application/x-ndjson"
            ).end()
            #expect(lines.status == 0 && lines.output.isEmpty)
            let socket = try await TestSocket.open(
                broker, "\(path)&from=\(start)", subprotocols: [], token: broker.token)
            #expect(try await socket.close() == (4504, "gap"))

            let many = "/v1/events?topic=\(topic)&topic=\(base).other&view=data"
            let ended = try await curl("\(many)&from=at:1~\(start)").end()
            #expect(ended.output.text.contains("\(ErrorCode.invalidStart.rawValue)"))
            let events = try await curl("\(path)&from=\(start)").end()
            #expect(events.output.text.contains("event: gap\ndata: {"))
            var source = TestEventSource()
            source.take(events.output[...])
            let rest = try curl(path, lastEventID: source.lastEventID)
            try await eventually("what is behind the gap") {
                rest.output.text.contains("data: 3\n\n")
            }
            rest.crash()
        }
    }
}

/// What `EventSource` does with the bytes of its connections (WHATWG HTML 9.2.6).
private struct TestEventSource {
    /// Of the last block that was whole.
    private(set) var lastEventID = ""
    private(set) var events: [EventMessage] = []

    /// Takes what came on one connection until it was cut.
    mutating func take(_ bytes: ArraySlice<UInt8>) {
        var (id, data) = (lastEventID, [UInt8]())
        var rest = bytes
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let line = rest[..<end]
            rest = rest[(end + 1)...]
            if line.isEmpty {
                lastEventID = id
                if case .event(let event) = try? BrokerMessage.decode(data) { events.append(event) }
                data = []
            } else if line.starts(with: "id: ".utf8) {
                id = String(decoding: line.dropFirst(4), as: UTF8.self)
            } else if line.starts(with: "data: ".utf8) {
                data += line.dropFirst(6)
            }
        }
    }
}
