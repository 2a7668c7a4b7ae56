import EventModel
import SessionProtocol
import Testing

extension EndToEnd {
    @Suite("The stream of one topic") struct StreamTests {
        private let broker: TestBroker
        private let http: TestHTTP
        private let topic = freshTopic("stream")

        init() async throws {
            broker = try await TestBroker.shared
            http = TestHTTP(broker)
        }

        private func open(
            _ query: String = "", subprotocols: [String] = ["sluice.events.v1"]
        ) async throws -> TestSocket {
            try await TestSocket.open(
                broker, "/v1/topics/\(topic)/events\(query)", subprotocols: subprotocols,
                token: broker.token)
        }

        @Test func `delivers whatever is acknowledged after the 101`() async throws {
            try await http.publish(topic, numbers: 1...3)
            for number in 4...23 {
                let stream = try await open()
                try await http.publish(topic, numbers: number...number)
                #expect(try await stream.data(1) == ["\(number)"])
            }
        }

        @Test func `needs no subprotocol`() async throws {
            try await http.publish(topic, numbers: 1...1)
            let stream = try await open("?from=earliest", subprotocols: [])
            #expect(stream.subprotocol == nil)
            #expect(try await stream.data(1) == ["1"])
            #expect(try await stream.message() == .live(id: nil))
        }

        @Test(arguments: [
            ("earliest", ["1", "2", "3", "4"]), ("last:2", ["3", "4"]), ("offset:4", ["4"]),
            ("ago:1h", ["1", "2", "3", "4"]), ("time:2020-01-01T00:00:00Z", ["1", "2", "3", "4"]),
        ])
        func `starts where it is told`(start: String, expected: [String]) async throws {
            try await http.publish(topic, numbers: 1...4)
            let stream = try await open("?from=\(start)")
            #expect(try await stream.data(expected.count) == expected)
            #expect(try await stream.message() == .live(id: nil))
        }

        @Test func `goes on behind a cursor`() async throws {
            try await http.publish(topic, numbers: 1...4)
            let first = try await open("?from=earliest")
            let cursor = try await first.events(2)[1].cursor
            let second = try await open("?from=after:\(cursor)")
            #expect(try await second.data(2) == ["3", "4"])
        }

        @Test func `of a topic that does not exist yet starts at 1`() async throws {
            let stream = try await open()
            #expect(try await stream.message() == .live(id: nil))
            try await http.publish(topic, numbers: 1...2)
            #expect(try await stream.events(2).map(\.event.offset) == [1, 2])
        }

        @Test(arguments: [
            ("?from=yesterday", ErrorCode.invalidStart), ("?colour=red", .unknownField),
            ("?from=latest&from=latest", .unknownField), ("?from=offset:9", .invalidStart),
            ("?overflow=never", .invalidRequest),
        ])
        func `answers a wrong query as HTTP`(query: String, code: ErrorCode) async throws {
            try await http.publish(topic, numbers: 1...4)
            let refused = try await #require(throws: TestSocket.Refused.self) {
                try await open(query)
            }
            try refused.answer.expectProblem(400, code)
        }

        @Test func `takes pings, and refuses what belongs to a session`() async throws {
            let stream = try await open()
            #expect(try await stream.message() == .live(id: nil))
            stream.send(#"{"type":"ping"}"#)
            guard case .pong(id: nil, _) = try await stream.message() else {
                throw TimedOut(what: "pong")
            }
            stream.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
            #expect(try await stream.error().code == "invalid_request")
        }
    }
}
