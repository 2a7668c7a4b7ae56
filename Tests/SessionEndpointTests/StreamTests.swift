import EventModel
import MemoryLog
import Synchronization
import Testing

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

    @Test func `ends when the log goes away before it has begun`() async throws {
        let count = Mutex(0)
        let node = try TestNode(wrapping: { log in
            ObservedLog(
                log,
                following: {
                    // The start was fixed; the stream looks again for what came meanwhile.
                    if count.withLock({
                        $0 += 1; return $0
                    }) == 2 {
                        log.setAvailable(false)
                    }
                })
        })
        let client = try await TestClient.open(node, "/a?from=after:memory0001z-7")
        #expect(try await client.told(1) == ["closing 4003"])
        #expect(try await client.close() == 4003)
    }

    @Test func `takes nothing but ping`() async throws {
        let node = try TestNode()
        let client = try await TestClient.open(node, "/a")
        _ = try await client.told(1)
        client.send(#"{"type":"subscribe","id":1,"topic":"b"}"#)
        #expect(try await client.told(1) == ["error 1 invalid_request"])
    }
}
