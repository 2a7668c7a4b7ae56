import EventModel
import SessionProtocol
import Testing
import WebSocketCodec

@Suite("A session with batches") struct MessageBatchTests {
    private func text(_ client: TestClient) async throws -> String {
        while true {
            if case .message(let text) = try await client.next() { return text }
        }
    }

    @Test func `answers an array in an array, and a message alone alone`() async throws {
        let node = try TestNode()
        let client = try await TestClient.open(node, "/v1/connect?batch=1")
        #expect(try await client.told(1) == ["welcome"])
        client.send(#"[{"type":"ping","id":1},{"type":"dance","id":2},{"type":"ping","id":3}]"#)
        let replies = try await text(client)
        #expect(replies.hasPrefix(#"[{"type":"pong","id":1,"#))
        #expect(replies.contains(#",{"type":"error","id":2,"#))
        #expect(replies.contains(#",{"type":"pong","id":3,"#))
        #expect(replies.hasSuffix("}]"))
        client.send(#"{"type":"ping","id":4}"#)
        #expect(try await client.told(1) == ["pong 4"])
    }

    @Test func `delivers to what an array subscribed, behind its answer`() async throws {
        let node = try TestNode()
        try await node.publish("a", "1")
        let client = try await TestClient.open(node, "/v1/connect?batch=1")
        #expect(try await client.told(1) == ["welcome"])
        client.send(
            #"[{"type":"subscribe","id":1,"topic":"a","from":"earliest"},"#
                + #"{"type":"publish","id":2,"topic":"b","data":1}]"#)
        let told = try await client.told(4)
        #expect(told.filter { $0 != "published 2 1" } == ["subscribed 1 a@0", "a 1 1", "live 1"])
    }

    @Test func `takes what waits together in one text, and what is too large alone`() async throws {
        let node = try TestNode()
        let numbers = (1...100).map { "\($0)" }
        for number in numbers { try await node.publish("a", number) }
        let large = #""\#(String(repeating: "x", count: 40_000))""#
        try await node.publish("a", large)
        try await node.publish("a", "102")
        let client = try await TestClient.open(node, "/v1/connect?batch=1")
        #expect(try await client.told(1) == ["welcome"])
        client.send(
            #"[{"type":"subscribe","id":1,"topic":"a","from":"earliest"},{"type":"ping","id":2}]"#)
        var texts: [String] = []
        while texts.last?.contains(#""type":"live""#) != true {
            texts.append(try await text(client))
        }
        let messages = texts.flatMap { MessageBatch.messages(of: Array($0.utf8)) }
        let data = try messages.compactMap { message in
            if case .event(let event) = try BrokerMessage.decode(message) {
                String(decoding: event.event.content.data, as: UTF8.self)
            } else {
                nil
            }
        }
        #expect(data == numbers + [large, "102"])
        #expect(texts.count < 10)
        #expect(texts.allSatisfy { $0.utf8.count < 16 << 10 || $0.hasPrefix(#"{"type":"event""#) })
        #expect(texts.contains { $0.hasPrefix(#"[{"type":"event""#) && $0.hasSuffix("}]") })
    }

    @Test func `is pinged and closed as any other`() async throws {
        let node = try TestNode()
        let client = try await TestClient.open(node, "/v1/connect?batch=1")
        #expect(try await client.told(1) == ["welcome"])
        client.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        #expect(try await client.told(2) == ["subscribed 1 a@null", "live 1"])
        client.send(frame: .ping, [7])
        #expect(try await client.next() == .pong)
        try await node.publish("a", "1")
        #expect(try await client.told(1) == ["a 1 1"])
        node.drain(within: .seconds(1))
        #expect(try await client.told(1) == ["closing 4001"])
        #expect(try await client.close() == 4001)
    }

    @Test(arguments: [
        ("/v1/connect?batch=2", UInt(400), "invalid_request"),
        ("/v1/connect?access_token=x", 400, "unknown_field"),
    ]) func `is refused before the upgrade with another query`(
        path: String, status: UInt, code: String
    ) async throws {
        let node = try TestNode()
        let error = await #expect(throws: TestClient.Refused.self) {
            try await TestClient.open(node, path)
        }
        #expect(error?.status == status)
        #expect(error?.code == code)
    }
}
