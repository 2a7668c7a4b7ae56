import EventModel
import SessionProtocol
import SluiceClient
import Testing

extension EndToEnd {
    @Suite("A subscription with a filter") struct FilteredDeliveryTests {
        private let broker: TestBroker
        private let http: TestHTTP
        private let topic = freshTopic("filter")

        init() async throws {
            broker = try await TestBroker.shared
            http = TestHTTP(broker)
        }

        private func session(_ fields: String) async throws -> TestSocket {
            let session = try await TestSocket.session(broker, isFiltered: true)
            session.send(#"{"type":"subscribe","id":1,\#(fields)}"#)
            guard case .subscribed = try await session.message() else {
                throw TimedOut(what: "subscribed")
            }
            return session
        }

        private func offsets(_ messages: [BrokerMessage]) -> [Offset] {
            messages.compactMap {
                if case .event(let event) = $0 { event.event.offset } else { nil }
            }
        }

        /// The messages up to the one that tells that the subscription stands at an offset.
        private func through(_ offset: Offset, _ socket: TestSocket) async throws
            -> [BrokerMessage]
        {
            let name = try TopicName(topic)
            return try await socket.messages {
                if case .cursor(let cursors) = $0 { cursors[name]?.offset == offset } else { false }
            }
        }

        private static let filter = "$.n == 50 || $.n >= 99 && $.n < 102 || $.n == 120"

        @Test(.timeLimit(.minutes(1)))
        func `gets what fits from the log and live, and is told how far it is`() async throws {
            try await http.publish(topic, objects: 1...100)
            let session = try await session(
                #""topic":"\#(topic)","from":"earliest","filter":"\#(Self.filter)""#)
            let replayed = try await session.messages { $0 == .live(id: 1) }
            #expect(offsets(replayed) == [50, 99, 100])
            try await http.publish(topic, objects: 101...130)
            let live = try await through(130, session)
            #expect(offsets(live) == [101, 120])
            let gap = (replayed + live).first { if case .gap = $0 { true } else { false } }
            #expect(gap == nil)
        }

        @Test(.timeLimit(.minutes(1)))
        func `goes on behind what was left out`() async throws {
            try await http.publish(topic, objects: 1...5)
            let first = try await session(
                #""topic":"\#(topic)","from":"earliest","filter":"$.n > 100""#)
            guard case .cursor(let cursors) = try await through(5, first).last,
                let cursor = cursors.values.first
            else { throw TimedOut(what: "a cursor") }
            try await http.publish(topic, objects: 6...7)
            let second = try await session(
                #""topic":"\#(topic)","cursors":{"\#(topic)":"\#(cursor)"},"filter":"$.n > 0""#)
            #expect(try await offsets(second.messages { $0 == .live(id: 1) }) == [6, 7])
        }

        @Test(.timeLimit(.minutes(1)))
        func `changes its filter, and gives it up, where it stands`() async throws {
            let session = try await session(#""topic":"\#(topic)","filter":"$.n == 2""#)
            try await http.publish(topic, objects: 1...3)
            #expect(try await session.events(1).map(\.event.offset) == [2])
            session.send(#"{"type":"update","id":1,"filter":"$.n == 5"}"#)
            _ = try await session.messages { $0 == .updated(id: 1) }
            try await http.publish(topic, objects: 4...6)
            #expect(try await session.events(1).map(\.event.offset) == [5])
            session.send(#"{"type":"update","id":1,"filter":null}"#)
            _ = try await session.messages { $0 == .updated(id: 1) }
            try await http.publish(topic, objects: 7...8)
            #expect(try await session.events(2).map(\.event.offset) == [7, 8])
        }

        @Test func `asks for key and topic, under a pattern`() async throws {
            let base = freshTopic("orders")
            let session = try await session(
                #""topic":"\#(base).*","filter":"$key == \"a\" && $topic like_regex \"eu$\"""#)
            _ = try await http.publishMany([
                #"{"topic":"\#(base).eu","data":1,"key":"b"}"#,
                #"{"topic":"\#(base).us","data":2,"key":"a"}"#,
                #"{"topic":"\#(base).eu","data":3,"key":"a"}"#,
            ])
            #expect(try await session.data(1) == ["3"])
        }

        @Test func `is refused with the byte at which the filter goes wrong`() async throws {
            let session = try await TestSocket.session(broker)
            session.send(
                #"{"type":"subscribe","id":1,"topic":"\#(topic)","filter":"$.s == \"\" & $.n"}"#)
            guard case .error(let error) = try await session.message() else {
                throw TimedOut(what: "an error")
            }
            #expect(error.code == "invalid_filter" && error.id == 1)
            #expect(error.at == InputPlace(byte: 10, field: "filter"))
            let refused = try await #require(throws: TestSocket.Refused.self) {
                try await stream("$.n")
            }
            try refused.answer.expectProblem(400, .invalidFilter)
        }

        private func stream(_ filter: String) async throws -> TestSocket {
            try await TestSocket.open(
                broker,
                "/v1/topics/\(topic)/events?from=earliest&filter=\(percentEncoded(filter))",
                subprotocols: ["sluice.events.v1"], token: broker.token, isFiltered: true)
        }

        @Test(.timeLimit(.minutes(1)))
        func `is also a stream's`() async throws {
            try await http.publish(topic, objects: 1...4)
            let stream = try await stream("$.n > 2 && $.n < 6")
            #expect(
                try await offsets(stream.messages { $0 == .live(id: nil) }) == [3, 4])
            try await http.publish(topic, objects: 5...6)
            #expect(try await offsets(through(6, stream)) == [5])
        }

        @Test(.timeLimit(.minutes(1)))
        func `is also the command's and the Swift client's`() async throws {
            try await http.publish(topic, objects: 1...9)
            let program = SluiceProgram(connectionFile: broker.connectionFile)
            let printed = try await program.run(
                "subscribe", topic, "--from", "earliest", "--filter", "$.n > 7", "--count", "2")
            #expect(printed.status == 0, "\(printed.errors)")
            #expect(printed.output.text == "\(topic)  8  {\"n\":8}\n\(topic)  9  {\"n\":9}\n")
            let refused = try await program.run("subscribe", topic, "--filter", "$.n = 7")
            #expect(refused.status == 2)
            #expect(refused.errors.contains("\n  $.n = 7\n      ^\n"), "\(refused.errors)")
            let client = try BrokerClient(
                ClientConfiguration(
                    address: try BrokerAddress("https://127.0.0.1:\(broker.port)"),
                    token: broker.token, caFile: broker.caFile))
            var iterator = try client.subscribe(
                to: [topic], from: "earliest", options: SubscribeOptions(filter: "$.n == 8")
            ).makeAsyncIterator()
            var events: [Int64] = []
            while let item = try await iterator.next() {
                if case .event(let event) = item { events.append(event.offset) }
                guard case .notice(.progress(let cursors), _) = item else { continue }
                if cursors[topic]?.hasSuffix("-9") == true { break }
            }
            #expect(events == [8])
        }
    }
}
