import EventModel
import MemoryLog
import Testing

@Suite("An ephemeral topic in a session") struct EphemeralTests {
    private func node(_ topics: String...) async throws -> TestNode {
        let node = try TestNode()
        for topic in topics {
            var settings = TopicSettings()
            settings.isDurable = false
            _ = try await node.log.create(try TopicName(topic), settings: settings)
        }
        return node
    }

    @Test func `is published to and delivered, but with no condition`() async throws {
        let node = try await node("a")
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        #expect(try await client.told(2) == ["subscribed 1 a@0", "live 1"])
        client.send(#"{"type":"publish","id":2,"topic":"a","data":"x","event_id":"e"}"#)
        #expect(Set(try await client.told(2)) == [#"a 1 "x""#, "published 2 1"])
        let head = try await node.cursor("a", 1)
        client.send(#"{"type":"publish","id":3,"topic":"a","data":2,"if_head":"\#(head)"}"#)
        #expect(try await client.told(1) == ["error 3 ephemeral_topic"])
    }

    @Test(arguments: ["earliest", "last:1", "offset:1", "time:2026-01-01T00:00:00Z", "ago:1h"])
    func `has no log to begin in, but goes live under a pattern`(start: String) async throws {
        let node = try await node("a.x")
        try await node.publish("a.x", "1")
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"a.x","from":"\#(start)"}"#)
        #expect(try await client.told(1) == ["error 1 ephemeral_topic"])
        guard start != "offset:1" else { return }
        client.send(#"{"type":"subscribe","id":2,"topic":"a.*","from":"\#(start)"}"#)
        #expect(try await client.told(2) == ["subscribed 2", "live 2"])
        try await node.publish("a.x", "2")
        #expect(try await client.told(1) == ["a.x 2 2"])
    }

    @Test func `goes on behind a gap, or after a reset in another incarnation`() async throws {
        let node = try await node("a")
        try await node.publish("a", "1", "2", "3")
        let cursor = try await node.cursor("a", 1)
        let client = try await TestClient.session(node)
        client.send(
            #"{"type":"subscribe","id":1,"topic":"a","cursors":{"a":"\#(cursor)"}}"#)
        #expect(
            try await client.told(3) == ["subscribed 1 a@1", "gap a 2-3 ephemeral", "live 1"])
        node.log.restart()
        #expect(try await client.told(1) == ["reset a@0 restored"])
        try await node.publish("a", "4")
        #expect(try await client.told(1) == ["a 1 4"])
        let late = try await TestClient.session(node)
        late.send(#"{"type":"subscribe","id":1,"topic":"a","from":"after:\#(cursor)"}"#)
        let told = try await late.told(4)
        #expect(
            told == ["subscribed 1 a@1", "reset a@0 restored", "gap a 1-1 ephemeral", "live 1"])
    }

    @Test func `is told from its first offset when it comes into being`() async throws {
        let node = try await node()
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topics":["a","b.*"],"from":"latest"}"#)
        #expect(try await client.told(2) == ["subscribed 1 a@null", "live 1"])
        var settings = TopicSettings()
        settings.isDurable = false
        for topic in ["a", "b.x"] {
            _ = try await node.log.create(try TopicName(topic), settings: settings)
            try await eventually("followed") { await node.sum { $0.readerCount(of: topic) } == 1 }
            try await node.publish(topic, "1")
            #expect(try await client.told(1) == ["\(topic) 1 1"])
        }
    }
}
