import EventModel
import MemoryLog
import SessionProtocol
import SessionEndpoint
import Testing
import WebSocketCodec

@testable import Delivery

@Suite("A client that does not read") struct SlowClientTests {
    @Test func `lags, and gets everything when it reads again`() async throws {
        var limits = Limits()
        limits.backlogBytesMax = 64 << 10
        let node = try TestNode(limits: limits)
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        _ = try await client.told(2)
        // A topic that is new does not lag until it was live.
        try await node.publish("a", "0")
        _ = try await client.told(1)
        client.setReading(false)
        let data = (1...400).map { "\"\($0)" + String(repeating: "x", count: 32 << 10) + "\"" }
        for data in data { try await node.publish("a", data) }
        client.setReading(true)
        var lagging = 0
        var offsets: [Offset] = []
        while offsets.count < data.count {
            switch try await client.message() {
            case .event(let event): offsets.append(event.event.offset)
            case .lagging: lagging += 1
            case .live: break
            case let other: Issue.record("\(other)")
            }
        }
        #expect(lagging > 0)
        #expect(offsets == (2...401).map { Offset($0) })
    }

    @Test func `is not read either, as long as its answers wait`() async throws {
        var limits = Limits()
        limits.heartbeatInterval = .seconds(3600)
        let node = try TestNode(limits: limits)
        let client = try await TestClient.session(node)
        client.setReading(false)
        let count = flood(client)
        try await eventually("answers that wait") {
            await node.sum { $0.backlogBytes } > 64 << 10
        }
        #expect(await node.sum { $0.backlogBytes } < 1 << 20)
        client.setReading(true)
        for _ in 0..<count {
            guard try await client.next() == .pong else { throw TimedOut(what: "a pong") }
        }
    }

    @Test func `and floods is closed when it shows no life`() async throws {
        var limits = Limits()
        limits.heartbeatInterval = .milliseconds(500)
        limits.stuckTimeout = .seconds(1)
        let node = try TestNode(limits: limits)
        let client = try await TestClient.session(node)
        client.setReading(false)
        _ = flood(client)
        try await eventually("answers that wait") {
            await node.sum { $0.backlogBytes } > 64 << 10
        }
        try await eventually("the end") { await node.connectionCount() == 0 }
    }

    @Test func `is closed when it does not answer a ping, and nothing waits for it`() async throws {
        var limits = Limits()
        limits.heartbeatInterval = .milliseconds(500)
        let node = try TestNode(limits: limits)
        // This client answers nothing by itself.
        let client = try await TestClient.session(node)
        while try await client.next() != .ping { continue }
        #expect(try await client.close() == 4002)
    }

    /// Asks for more answers than the sockets hold; gives how many.
    private func flood(_ client: TestClient) -> Int {
        let ping = WebSocketFrame.encodeMasked(
            opcode: .ping, payload: Array(repeating: 7, count: 125), maskingKey: 7)
        let batch = Array(repeating: ping, count: 1000).flatMap { $0 }
        for _ in 0..<80 { client.send(bytes: batch) }
        return 80_000
    }

    @Test func `gets an answer that is larger than its backlog`() async throws {
        let node = try TestNode()
        let client = try await TestClient.session(node)
        let tail = String(repeating: "x", count: 150)
        let names = (0..<10_000).map { "\"t\($0).\(tail)\"" }.joined(separator: ",")
        client.send(#"{"type":"subscribe","id":1,"topics":[\#(names)]}"#)
        let subscribed = try await client.told(1)[0]
        #expect(subscribed.split(separator: " ").count == 10_002)
        client.send(#"{"type":"ping","id":2}"#)
        #expect(try await client.told(2) == ["live 1", "pong 2"])
    }

    @Test func `still gets the close frame behind what had begun`() async throws {
        let node = try TestNode()
        let client = try await TestClient.session(node)
        client.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        _ = try await client.told(2)
        client.setReading(false)
        let data = "\"" + String(repeating: "x", count: 900 << 10) + "\""
        for _ in 0..<20 { try await node.publish("a", data) }
        try await eventually("a backlog") { await node.sum { $0.backlogBytes } > 0 }
        client.send(frame: .close, WebSocketFrame.closePayload(code: 1000))
        try await eventually("the end of the subscription") {
            await node.sum { $0.readerCount(of: "a") } == 0
        }
        client.setReading(true)
        #expect(try await client.close() == 1000)
        try await client.ended()
    }
}
