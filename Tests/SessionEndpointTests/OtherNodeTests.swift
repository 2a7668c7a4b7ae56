import EventModel
import MemoryLog
import Testing

@Suite("A client with cursors from a node that is ahead of this one") struct OtherNodeTests {
    private let held = HeldQuestions()

    /// A node that knows the old life of a topic, which has begun its next at another node; gives a
    /// cursor of that.
    private func nodeBehind() async throws -> (TestNode, Cursor) {
        let node = try TestNode(wrapping: { ObservedLog($0, held) })
        try await node.publish("a", "8")
        let first = try await TestClient.session(node)
        first.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        _ = try await first.told(2)
        node.sink.hold()
        node.log.delete(try TopicName("a"))
        try await node.publish("a", "1", "2")
        return (node, try await node.cursor("a", 1))
    }

    /// The log is asked, and asked again; then the node is told, before the second answer.
    private func isToldBetweenQuestions(_ node: TestNode) async throws {
        try await eventually("a question") { held.count == 1 }
        held.answer()
        try await eventually("the question again") { held.count == 1 }
        node.sink.release()
        held.answer()
    }

    @Test func `goes on in a topic that this node's patterns do not match yet`() async throws {
        let node = try TestNode(wrapping: { ObservedLog($0, held, knowsTopics: false) })
        try await node.publish("o.a", "1", "2")
        let cursor = try await node.cursor("o.a", 1)
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"o.>","cursors":{"o.a":"\#(cursor)"}}"#)
        #expect(try await client.told(3) == ["subscribed 1", "o.a 2 2", "live 1"])
        try await node.publish("o.a", "3")
        #expect(try await client.told(1) == ["o.a 3 3"])
    }

    @Test func `waits in a session until this node is told of the topic's next life`() async throws
    {
        let (node, cursor) = try await nodeBehind()
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"*","cursors":{"a":"\#(cursor)"}}"#)
        try await isToldBetweenQuestions(node)
        #expect(try await client.told(3) == ["subscribed 1", "a 2 2", "live 1"])
    }

    @Test func `waits with a stream until this node is told of the topic's next life`() async throws
    {
        let (node, cursor) = try await nodeBehind()
        async let opening = TestClient.open(node, "/a?from=after:\(cursor)")
        try await isToldBetweenQuestions(node)
        let client = try await opening
        #expect(try await client.told(2) == ["a 2 2", "live -"])
    }

    /// A node that knows a topic in an incarnation of the log that has ended, and where; gives a
    /// cursor of the next one.
    private func nodeOfOldIncarnation() async throws -> (TestNode, Cursor) {
        let node = try TestNode(wrapping: { ObservedLog($0, held) })
        try await node.publish("a", "1")
        let first = try await TestClient.session(node)
        first.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        _ = try await first.told(2)
        node.sink.hold()
        node.log.restart()
        try await node.publish("a", "2", "3")
        return (node, try await node.cursor("a", 3))
    }

    @Test func `is not reset in a session by an incarnation that this node is yet to be told of`()
        async throws
    {
        let (node, cursor) = try await nodeOfOldIncarnation()
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"*","cursors":{"a":"\#(cursor)"}}"#)
        try await isToldBetweenQuestions(node)
        #expect(try await client.told(2) == ["subscribed 1", "live 1"])
        try await node.publish("a", "4")
        #expect(try await client.told(1) == ["a 4 4"])
    }

    @Test func `is not reset by a stream by an incarnation that this node is yet to be told of`()
        async throws
    {
        let (node, cursor) = try await nodeOfOldIncarnation()
        async let opening = TestClient.open(node, "/a?from=after:\(cursor)")
        try await isToldBetweenQuestions(node)
        let client = try await opening
        #expect(try await client.told(1) == ["live -"])
        try await node.publish("a", "4")
        #expect(try await client.told(1) == ["a 4 4"])
    }

    @Test func `is told by a stream that the topic is gone before this node was`() async throws {
        let node = try TestNode(wrapping: { ObservedLog($0, held) })
        try await node.publish("a", "8")
        let first = try await TestClient.session(node)
        first.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        _ = try await first.told(2)
        let cursor = try await node.cursor("a", 2)
        node.sink.hold()
        node.log.delete(try TopicName("a"))
        async let opening = TestClient.open(node, "/a?from=after:\(cursor)")
        try await eventually("a question") { held.count == 1 }
        held.answer()
        let client = try await opening
        #expect(try await client.told(2) == ["reset a@null deleted", "live -"])
        try await node.publish("a", "9")
        node.sink.release()
        #expect(try await client.told(2) == ["reset a@0 recreated", "a 1 9"])
    }

    @Test func `is sent away to come again when this node is not told`() async throws {
        let (node, cursor) = try await nodeBehind()
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"a","cursors":{"a":"\#(cursor)"}}"#)
        for _ in 0...20 {
            try await eventually("a question") { held.count == 1 }
            held.answer()
        }
        #expect(try await client.told(1) == ["error 1 database_unavailable retry"])
    }
}
