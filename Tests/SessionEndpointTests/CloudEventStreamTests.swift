import EventModel
import SessionProtocol
import Testing
import WebSocketCodec

@Suite("A stream of one topic as CloudEvents (WebSockets binding 1.0.2)")
struct CloudEventStreamTests {
    private static let subprotocol = "cloudevents.json"

    private func open(
        _ node: TestNode, _ query: String = "", deflate: DeflateParameters? = nil
    ) async throws -> TestClient {
        try await TestClient.open(
            node, "/a\(query)", subprotocols: ["cloudevents.avro", Self.subprotocol],
            deflate: deflate)
    }

    /// The next message; pings are passed over, and everything else fails.
    private func text(_ client: TestClient) async throws -> String {
        while true {
            switch try await client.next() {
            case .message(let text): return text
            case .ping, .pong: continue
            case let other: throw TimedOut(what: "a message, not \(other)")
            }
        }
    }

    @Test(arguments: [nil, DeflateParameters()])
    func `brings events alone, each a message`(deflate: DeflateParameters?) async throws {
        let node = try TestNode()
        let data = "\"" + String(repeating: "x", count: 200) + "\""
        try await node.publish("a", data, "2")
        let client = try await open(node, "?from=earliest", deflate: deflate)
        #expect(try await client.isDeflated() == (deflate != nil))
        let first = try await text(client)
        #expect(first.hasPrefix(#"{"specversion":"1.0","id":"#))
        #expect(first.hasSuffix(#""data":\#(data)}"#))
        #expect(try await text(client).hasSuffix(#""data":2}"#))
        // It is live by now, which it is not told.
        try await node.publish("a", "3")
        #expect(try await text(client).hasSuffix(#""data":3}"#))
    }

    @Test func `brings resets and gaps as events`() async throws {
        let node = try TestNode()
        try await node.publish("a", "1", "2")
        let client = try await open(node, "?from=after:memory0001z-7")
        let reset = try await text(client)
        #expect(reset.contains(#""type":"sluice.reset""#))
        #expect(reset.contains(#""reason":"recreated""#))
        #expect(try await text(client).hasSuffix(#""data":1}"#))
    }

    @Test func `ends with protocol_misuse when the client says something`() async throws {
        let node = try TestNode()
        let client = try await open(node)
        client.send(#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#)
        #expect(try await client.close() == CloseCode.protocolMisuse.rawValue)
    }

    @Test func `says why it ends in the close code alone`() async throws {
        let node = try TestNode()
        let client = try await open(node)
        _ = await node.connectionCount()
        node.drain(within: .seconds(1))
        guard case .close(let code, let reason) = try await client.next() else {
            throw TimedOut(what: "the close")
        }
        #expect(code == CloseCode.drain.rawValue)
        #expect(reason == "drain")
    }

    @Test func `refuses a token in the subprotocol by its close code`() async throws {
        let node = try TestNode(authenticate: { _, completion in
            completion(.failure(BrokerError(.unauthorized, "The token is not known.")))
        })
        let client = try await TestClient.open(
            node, "/a", subprotocols: [Self.subprotocol, "bearer.slc_x_y"])
        guard case .close(let code, _) = try await client.next() else {
            throw TimedOut(what: "the close")
        }
        #expect(code == CloseCode.unauthorized.rawValue)
    }
}
