import EventModel
import Testing
import WebSocketCodec

@testable import Delivery

@Suite("A flood of subscribes and unsubscribes") struct FloodTests {
    @Test func `ends with 4009, leaves nothing behind and holds up nobody`() async throws {
        var limits = Limits()
        limits.topicsPerSubscribeMax = 10
        let node = try TestNode(limits: limits, faultsPerMinuteMax: 5)
        let other = try await TestClient.session(node)
        other.send(#"{"type":"subscribe","id":1,"topic":"a"}"#)
        #expect(try await other.told(2) == ["subscribed 1 a@null", "live 1"])
        let client = try await TestClient.session(node)
        let names = (0..<10).map { #""x\#($0)""# }.joined(separator: ",")
        for id in 1...100 {
            client.send(#"{"type":"subscribe","id":\#(id),"topics":[\#(names)]}"#)
            // After six times as much as it may hold, it is refused, and does not listen.
            guard id <= 6 else { continue }
            client.send(#"{"type":"unsubscribe","id":\#(id)}"#)
            while try await client.message().short != "unsubscribed \(id)" {}
        }
        try await node.publish("a", "1")
        #expect(try await other.told(1) == ["a 1 1"])
        #expect(try await client.close() == 4009)
        client.send(frame: .close, WebSocketFrame.closePayload(code: 4009))
        try await client.ended()
        #expect(await node.connectionCount() == 1)
        #expect(await node.sum { $0.readerCount(of: "x0") } == 0)
        #expect(await node.sum { $0.awaitedCount } == 0)
    }
}
