import EventModel
import MemoryLog
import SessionProtocol
import Synchronization
import Testing

/// The clock of a log, which stands still until it is moved.
private final class LogClock: Sendable {
    private let time = Mutex(Timestamp(microseconds: 1_767_225_600_000_000))

    var now: Timestamp { time.withLock { $0 } }

    func advance(by duration: Duration) { time.withLock { $0 = $0.advanced(by: duration) } }
}

@Suite("A client that resumes from a mark") struct ResumeTests {
    private let clock = LogClock()
    private let marks = HeldQuestions()

    private func node(holdsMarks: Bool = false) throws -> TestNode {
        let log = MemoryLog(now: { [clock] in clock.now })
        return try TestNode(
            log: log, wrapping: { ObservedLog($0, marks: holdsMarks ? marks : nil) })
    }

    /// Subscribes to `o.>` and gives `resume_from`.
    private func mark(_ node: TestNode, from: String = "latest") async throws -> String {
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"o.>","from":"\#(from)"}"#)
        guard case .subscribed(let message) = try await client.message() else {
            throw TimedOut(what: "subscribed")
        }
        client.vanish()
        // Its loop would keep the events of what it is subscribed to in memory.
        try await eventually("the end") { await node.connectionCount() == 0 }
        return try #require(message.resumeFrom)
    }

    /// What a client is told that resumes without cursors.
    private func told(_ node: TestNode, from: String, _ count: Int) async throws -> Set<String> {
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"o.>","from":"\#(from)"}"#)
        #expect(try await client.told(1) == ["subscribed 1"])
        let told = try await client.told(count + 1)
        #expect(told.last == "live 1")
        return Set(told.dropLast())
    }

    @Test func `is told its mark with subscribed, a minute before the log's`() async throws {
        let node = try node()
        try await node.publish("a", "1")
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        guard case .message(let text) = try await client.next() else {
            throw TimedOut(what: "subscribed")
        }
        #expect(
            text == #"{"type":"subscribed","id":1,"topics":{"a":{"cursor":"memory00011-1","#
                + #""earliest":1,"latest":1}},"resume_from":"mark:latest.memory0001.hefg7e3rpc"}"#)
    }

    @Test func `misses nothing of topics that it never saw, and gets nothing of before`()
        async throws
    {
        let node = try node()
        for topic in ["o.old", "o.quiet"] { try await node.publish(topic, "1", "2") }
        clock.advance(by: .seconds(61))
        let mark = try await mark(node)
        try await node.publish("o.old", "3")
        try await node.publish("o.new", "4")
        #expect(try await told(node, from: mark, 2) == ["o.old 3 3", "o.new 1 4"])
    }

    @Test func `begins as many events before the mark as its start said`() async throws {
        let node = try node()
        try await node.publish("o.old", "1", "2", "3")
        clock.advance(by: .seconds(61))
        let mark = try await mark(node, from: "last:2")
        try await node.publish("o.old", "4")
        #expect(try await told(node, from: mark, 3) == ["o.old 2 2", "o.old 3 3", "o.old 4 4"])
    }

    @Test func `is told what retention took while it was away`() async throws {
        let node = try node()
        let mark = try await mark(node)
        clock.advance(by: .seconds(61))
        try await node.publish("o.new", "1", "2", "3")
        node.log.forget(try TopicName("o.new"), below: 3)
        #expect(
            try await told(node, from: mark, 2) == ["gap o.new 1-2 retention", "o.new 3 3"])
    }

    @Test func `gets what a later incarnation appended, however early its clock`() async throws {
        let node = try node()
        try await node.publish("o.old", "1")
        clock.advance(by: .seconds(600))
        let mark = try await mark(node)
        node.log.restart()
        clock.advance(by: .seconds(-300))
        try await node.publish("o.old", "2")
        try await node.publish("o.new", "3")
        #expect(try await told(node, from: mark, 2) == ["o.old 2 2", "o.new 1 3"])
    }

    @Test func `keeps its mark, for which nothing is asked`() async throws {
        let node = try node(holdsMarks: true)
        let first = "mark:last-3.memory0001.1"
        #expect(try await mark(node, from: first) == first)
        #expect(marks.count == 0)
    }

    @Test func `shares the mark of who began within the last second`() async throws {
        let node = try node(holdsMarks: true)
        let first = try await TestClient.session(node)
        first.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        try await eventually("a question") { marks.count == 1 }
        marks.answer()
        guard case .subscribed(let told) = try await first.message() else {
            throw TimedOut(what: "subscribed")
        }
        let second = try await TestClient.session(node)
        second.send(#"{"type":"subscribe","id":1,"topic":"b"}"#)
        guard case .subscribed(let again) = try await second.message() else {
            throw TimedOut(what: "subscribed")
        }
        #expect(marks.count == 0 && told.resumeFrom != nil)
        #expect(again.resumeFrom == told.resumeFrom)
    }

    @Test func `is subscribed without a mark when the log gives none in time`() async throws {
        let node = try node(holdsMarks: true)
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        #expect(
            try await client.message()
                == .subscribed(
                    .init(
                        id: 1,
                        topics: [
                            .init(topic: try TopicName("a"), cursor: nil, earliest: 1, latest: 0)
                        ])))
        // The answer comes after all, to nobody.
        marks.answer()
        #expect(try await client.told(1) == ["live 1"])
    }

    @Test func `leaves nothing when it unsubscribes before it has its mark`() async throws {
        let node = try node(holdsMarks: true)
        let client = try await TestClient.session(node)
        client.send(
            #"{"type":"subscribe","id":1,"topic":"a"}"#, #"{"type":"unsubscribe","id":1}"#,
            #"{"type":"ping","id":2}"#)
        #expect(try await client.told(1) == ["pong 2"])
        marks.answer()
        #expect(try await client.told(2) == ["subscribed 1 a@null", "unsubscribed 1"])
        try await node.publish("a", "1")
        client.send(#"{"type":"ping","id":3}"#)
        #expect(try await client.told(1) == ["pong 3"])
    }
}
