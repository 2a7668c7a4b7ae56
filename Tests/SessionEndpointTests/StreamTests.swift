import EventModel
import MemoryLog
import Testing
import WebSocketCodec

@Suite("A stream of one topic") struct StreamTests {
    @Test func `begins at its start and goes on`() async throws {
        let node = try TestNode()
        try await node.publish("a", "1", "2")
        let client = try await TestClient.open(node, "/a?from=last:1")
        #expect(try await client.told(2) == ["a 2 2", "live -"])
        try await node.publish("a", "3")
        client.send(#"{"type":"ping"}"#)
        #expect(try await Set(client.told(2)) == ["a 3 3", "pong -"])
    }

    @Test func `delivers a topic that comes into being from 1`() async throws {
        let node = try TestNode()
        let client = try await TestClient.open(node, "/a")
        #expect(try await client.told(1) == ["live -"])
        try await node.publish("a", "1")
        #expect(try await client.told(1) == ["a 1 1"])
    }

    @Test(arguments: [
        ("/a?from=offset:9", UInt(400), "invalid_start"), ("/a?from=soon", 400, "invalid_start"),
        ("/a?filter=x", 400, "invalid_filter"), ("/a?x=y", 400, "unknown_field"),
    ]) func `refuses before the upgrade`(path: String, status: UInt, code: String) async throws {
        let node = try TestNode()
        try await node.publish("a", "1")
        let error = await #expect(throws: TestClient.Refused.self) {
            try await TestClient.open(node, path)
        }
        #expect(error?.status == status)
        #expect(error?.code == code)
    }

    @Test func `is refused with 503 while the log is away`() async throws {
        let node = try TestNode()
        node.log.setAvailable(false)
        let error = await #expect(throws: TestClient.Refused.self) {
            try await TestClient.open(node, "/a")
        }
        #expect(error?.status == 503)
    }

    @Test func `resets a cursor of another life`() async throws {
        let node = try TestNode()
        let missing = try await TestClient.open(node, "/a?from=after:memory0001z-7")
        #expect(try await missing.told(2) == ["reset a@null deleted", "live -"])
        try await node.publish("a", "1")
        #expect(try await missing.told(2) == ["reset a@0 recreated", "a 1 1"])
        let other = try await TestClient.open(node, "/a?from=after:memory0001z-7")
        #expect(try await other.told(3) == ["reset a@0 recreated", "a 1 1", "live -"])
    }

    @Test func `stands when the log goes away as soon as its start is fixed`() async throws {
        let node = try TestNode()
        let client = try await TestClient.open(node, "/a?from=after:memory0001z-7")
        node.log.setAvailable(false)
        #expect(try await client.told(2) == ["reset a@null deleted", "live -"])
        node.log.setAvailable(true)
        try await node.publish("a", "1")
        #expect(try await client.told(2) == ["reset a@0 recreated", "a 1 1"])
    }

    @Test func `of bare data has nothing but the data of events`() async throws {
        let node = try TestNode()
        try await node.publish("a", "1", "[\n2]")
        for deflate in [nil, DeflateParameters()] {
            let client = try await TestClient.open(
                node, "/a?view=data&from=earliest", deflate: deflate)
            #expect(try await client.next() == .message("1"))
            #expect(try await client.next() == .message("[\n2]"))
            client.send(#"{"type":"ping"}"#, "no message")
            let long = "\"" + String(repeating: "long ", count: 100) + "\""
            try await node.publish("a", long)
            #expect(try await client.next() == .message(long))
        }
    }

    @Test func `of bare data ends where something is missing, behind what is not`() async throws {
        let node = try TestNode()
        try await node.publish("a", "1", "2")
        let client = try await TestClient.open(node, "/a?view=data&from=earliest")
        #expect(try await client.next() == .message("1"))
        #expect(try await client.next() == .message("2"))
        _ = try await node.log.delete(try TopicName("a"), ifRevision: nil)
        #expect(try await client.next() == .close(4504, "gap"))
    }

    @Test func `takes nothing but ping`() async throws {
        let node = try TestNode()
        let client = try await TestClient.open(node, "/a")
        _ = try await client.told(1)
        client.send(#"{"type":"subscribe","id":1,"topic":"b"}"#)
        #expect(try await client.told(1) == ["error 1 invalid_request"])
    }
}
