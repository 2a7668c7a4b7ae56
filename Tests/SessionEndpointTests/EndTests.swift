import EventModel
import MemoryLog
import SessionProtocol
import Testing
import WebSocketCodec

@Suite("The end of a WebSocket") struct EndTests {
    @Test func `begun by the client is answered with its code`() async throws {
        let node = try TestNode()
        let client = try await TestClient.session(node)
        client.send(frame: .close, WebSocketFrame.closePayload(code: 3000))
        #expect(try await client.next() == .close(3000, ""))
        #expect(try await client.next() == .ended)
        try await eventually("the end") { await node.connectionCount() == 0 }
    }

    @Test func `comes behind the reply to what the client said before it`() async throws {
        let node = try TestNode()
        let client = try await TestClient.session(node)
        let frames = [
            (.text, Array(#"{"type":"ping","id":1}"#.utf8)),
            (.close, WebSocketFrame.closePayload(code: 1000)),
        ].flatMap { (opcode: WebSocketOpcode, payload: [UInt8]) in
            WebSocketFrame.encodeMasked(opcode: opcode, payload: payload, maskingKey: 7)
        }
        client.send(bytes: frames)
        #expect(try await client.told(1) == ["pong 1"])
        #expect(try await client.next() == .close(1000, ""))
        #expect(try await client.next() == .ended)
    }

    @Test func `begun by the broker waits for the client's answer`() async throws {
        let node = try TestNode()
        let client = try await TestClient.session(node)
        node.drain(within: .seconds(1))
        #expect(try await client.told(1) == ["closing 4001"])
        #expect(try await client.next() == .close(4001, "drain"))
        #expect(await node.connectionCount() == 1)
        client.send(frame: .close, WebSocketFrame.closePayload(code: 4001))
        #expect(try await client.next() == .ended)
    }

    @Test func `drains streams, and who comes while the broker drains`() async throws {
        let node = try TestNode()
        let stream = try await TestClient.open(node, "/a")
        #expect(try await stream.told(1) == ["live -"])
        node.drain(within: .seconds(1))
        #expect(try await stream.told(1) == ["closing 4001"])
        #expect(try await stream.close() == 4001)
        let late = try await TestClient.session(node)
        #expect(try await late.told(1) == ["closing 4001"])
        #expect(try await late.close() == 4001)
    }

    @Test func `sends each client back at a time of its own`() async throws {
        let node = try TestNode(loops: 2)
        var clients: [TestClient] = []
        for _ in 0..<20 { clients.append(try await TestClient.session(node)) }
        node.drain(within: .seconds(100))
        var waits: [Duration] = []
        for client in clients {
            guard case .closing(let closing) = try await client.message() else {
                throw TimedOut(what: "closing")
            }
            waits.append(try #require(closing.reconnectAfter))
        }
        #expect(waits.allSatisfy { (Duration.seconds(10)...Duration.seconds(100)).contains($0) })
        let spread = try #require(waits.max()) - (try #require(waits.min()))
        // By chance alone it is narrower once in a million times.
        #expect(spread > .seconds(30), "\(waits)")
    }

    @Test func `comes after binary, unmasked and too large messages`() async throws {
        var limits = Limits()
        limits.messageBytesMax = 100
        let node = try TestNode(limits: limits)
        let binary = try await TestClient.session(node)
        binary.send(frame: .binary, [1])
        #expect(try await binary.told(1) == ["closing 1003"])
        #expect(try await binary.close() == 1003)
        let unmasked = try await TestClient.session(node)
        unmasked.send(bytes: WebSocketFrame.encode(text: Array("{}".utf8)))
        #expect(try await unmasked.close() == 1002)
        try await unmasked.ended()
        let large = try await TestClient.session(node)
        large.send(String(repeating: " ", count: 101))
        #expect(try await large.close() == 1009)
        try await large.ended()
        try await eventually("the end") { await node.connectionCount() <= 1 }
    }

    @Test func `is 4002 when nothing is heard, behind heartbeats`() async throws {
        var limits = Limits()
        limits.heartbeatInterval = .milliseconds(500)
        let node = try TestNode(limits: limits)
        let client = try await TestClient.session(node)
        var seen: Set<String> = []
        loop: while true {
            switch try await client.next() {
            case .message(let text): seen.insert(String(text.prefix(19)))
            case .ping: seen.insert("ping")
            case .close(let code, let reason):
                #expect(code == 4002 && reason == "no_pong")
                break loop
            case .pong, .ended:
                Issue.record("another end")
                break loop
            }
        }
        #expect(seen == [#"{"type":"heartbeat""#, "ping"])
    }

    @Test func `tells the fault before too many of them`() async throws {
        let node = try TestNode(faultsPerMinuteMax: 2)
        let client = try await TestClient.session(node)
        client.send("{}", "{}")
        #expect(
            try await client.told(3)
                == ["error - invalid_request", "error - invalid_request", "closing 4502"])
        #expect(try await client.close() == 4502)
    }
}
