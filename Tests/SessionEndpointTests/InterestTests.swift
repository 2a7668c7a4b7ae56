import EventModel
import MemoryLog
import Testing

@testable import Delivery
@testable import FanOut
@testable import SessionEndpoint

@Suite("What the node follows") struct InterestTests {
    @Test func `holds nothing of names that do not exist`() async throws {
        let node = try TestNode()
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topics":["x","y","z"]}"#)
        _ = try await client.told(2)
        #expect(node.hub.followedCount == 0)
        node.log.setAvailable(false)
        client.send(#"{"type":"subscribe","id":2,"topic":"w"}"#)
        _ = try await client.told(1)
        #expect(node.hub.followedCount == 0)
        node.log.setAvailable(true)
        try await node.publish("x", "1")
        #expect(try await client.told(1) == ["x 1 1"])
        node.log.delete(try TopicName("x"))
        #expect(try await client.told(1) == ["reset x@null deleted"])
        #expect(node.hub.followedCount == 0)
    }

    @Test func `outlives the end of a topic's former life`() async throws {
        let node = try TestNode()
        let topic = try TopicName("a")
        try await node.publish("a", "1")
        node.log.flush()
        // The end is told behind the question for the next life.
        let found = await withCheckedContinuation { continuation in
            node.hub.forEachLoop { _ in
                node.hub.follow([topic], onLoop: 0) { continuation.resume(returning: $1) }
                node.hub.deleted(topic, at: nil)
            }
        }
        #expect(try found.get().map(\.topic) == [topic])
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        #expect(try await client.told(2) == ["subscribed 1 a@1", "live 1"])
        try await node.publish("a", "2")
        #expect(try await client.told(1) == ["a 2 2"])
    }

    @Test func `keeps its newest events within one bound, however many loops there are`()
        async throws
    {
        var limits = Limits()
        limits.recentEventsBytesMax = 64 << 10
        let node = try TestNode(limits: limits, loops: 4)
        var clients: [TestClient] = []
        for _ in 0..<8 {
            clients.append(try await TestClient.session(node))
            clients.last?.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        }
        for client in clients { _ = try await client.told(2) }
        let data = "\"" + String(repeating: "x", count: 1000) + "\""
        for _ in 0..<100 { try await node.publish("a", data) }
        for client in clients { _ = try await client.told(100) }
        #expect(await node.sum { $0.readerCount(of: "a") > 0 ? 1 : 0 } > 1)
        let bytes = await node.sum { $0.shard.recentEventsByteCount }
        #expect(bytes > 0 && bytes <= 64 << 10)
    }
}
