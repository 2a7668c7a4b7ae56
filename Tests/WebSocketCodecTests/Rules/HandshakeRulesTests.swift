import EventModel
import Testing
import WebSocketCodec

private typealias Fields = [(name: String, value: String)]

/// What a key leads to does not matter here, only that it is the same on both sides.
private func sha1(_ bytes: [UInt8]) -> [UInt8] { Array((bytes + bytes).prefix(20)) }

private let good: Fields = [
    ("Host", "example.com"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13"),
]

/// The good request with other fields in the place of those of their names.
private func request(_ others: (String, String?)...) -> Fields {
    let names = Set(others.map { $0.0.lowercased() })
    let kept = good.filter { !names.contains($0.name.lowercased()) }
    return kept + others.compactMap { name, value in value.map { (name, $0) } }
}

private func check(
    _ fields: Fields, method: String = "GET", version: (Int, Int) = (1, 1),
    subprotocols: [String] = ["b", "a"]
) throws(WebSocketUpgrade.Refused) -> WebSocketUpgrade.Accepted {
    try WebSocketUpgrade.check(
        method: method, version: version, headers: fields, subprotocols: subprotocols, sha1: sha1)
}

private func status(
    _ fields: Fields, method: String = "GET", version: (Int, Int) = (1, 1)
) -> Int {
    do throws(WebSocketUpgrade.Refused) {
        _ = try check(fields, method: method, version: version)
        return 101
    } catch {
        return error.error.code.httpStatus
    }
}

@Suite("A server's handshake, by sections of RFC 6455") struct ServerHandshakeRulesTests {
    @Test func `4·2·1 ①, ② it takes a GET of HTTP 1·1 or higher with one Host`() {
        #expect(status(good) == 101)
        #expect(status(good, version: (1, 2)) == 101)
        #expect(status(good, version: (1, 0)) == 400)
        #expect(status(good, version: (2, 0)) == 400)
        for method in ["POST", "HEAD", "OPTIONS", "get", "CONNECT"] {
            #expect(status(good, method: method) == 405)
        }
        #expect(status(request(("Host", nil))) == 400)
        #expect(status(request(("Host", "a"), ("host", "b"))) == 400)
    }

    @Test(
        arguments: [
            ("websocket", 101), ("WebSocket", 101), ("WEBSOCKET", 101), ("h2c, websocket", 101),
            (" websocket ,foo", 101), ("websockets", 426), ("web socket", 426), ("h2c", 426),
            ("", 426), (nil, 426),
        ] as [(String?, Int)])
    func `4·2·1 ③ it wants the token websocket in Upgrade, in any case`(
        value: String?, expected: Int
    ) {
        #expect(status(request(("Upgrade", value))) == expected)
        let asks = WebSocketUpgrade.isRequested(headers: request(("Upgrade", value)))
        #expect(asks == (expected == 101))
    }

    @Test(
        arguments: [
            ("Upgrade", 101), ("upgrade", 101), ("UPGRADE", 101), ("keep-alive, Upgrade", 101),
            ("keep-alive,upgrade , x", 101), ("keep-alive", 400), ("upgraded", 400),
            ("Upgrade;q=1", 400), ("", 400), (nil, 400),
        ] as [(String?, Int)])
    func `4·2·1 ④ it wants the token Upgrade in Connection, in any case`(
        value: String?, expected: Int
    ) {
        #expect(status(request(("Connection", value))) == expected)
    }

    @Test func `4·2·1 ③, ④ it finds the tokens over all fields of a name`() {
        #expect(
            status(
                request(
                    ("Connection", "keep-alive"), ("connection", "Upgrade"), ("upgrade", "h2c"),
                    ("UPGRADE", "websocket"))) == 101)
    }

    @Test(
        arguments: [
            ("dGhlIHNhbXBsZSBub25jZQ==", 101), (" dGhlIHNhbXBsZSBub25jZQ== ", 101),
            ("AAAAAAAAAAAAAAAAAAAAAA==", 101), ("dGhlIHNhbXBsZSBub25jZQ", 400),
            ("dGhlIHNhbXBsZSBub25jZQ=", 400), ("dGhlIHNhbXBsZSBub24=", 400),
            ("dGhlIHNhbXBsZSBub25jZXM=", 400), ("dGhlIHNhbXBsZSBub25j_Q==", 400), ("", 400),
            (nil, 400),
        ] as [(String?, Int)])
    func `4·2·1 ⑤ it wants a key of 16 bytes in Base64`(value: String?, expected: Int) {
        #expect(status(request(("Sec-WebSocket-Key", value))) == expected)
    }

    @Test(
        arguments: [
            ("13", 101), (" 13 ", 101), ("8", 426), ("0", 426), ("14", 426), ("013", 426),
            ("13, 8", 426), ("", 426), (nil, 426),
        ] as [(String?, Int)])
    func `4·2·1 ⑥ and 4·4 it wants version 13, and says so`(value: String?, expected: Int) {
        let fields = request(("Sec-WebSocket-Version", value))
        #expect(status(fields) == expected)
        guard expected == 426 else { return }
        let refused = #expect(throws: WebSocketUpgrade.Refused.self) { try check(fields) }
        let headers = refused?.headers.map { "\($0.name): \($0.value)" } ?? []
        #expect(headers.contains("Sec-WebSocket-Version: 13"))
        // RFC 9110 7.8, 15.5.22: a 426 names the protocol, and Connection names Upgrade.
        #expect(headers.contains("Upgrade: websocket"))
        #expect(headers.contains("Connection: Upgrade"))
    }

    @Test func `4·2·2 ⑤ the answer has each field once`() throws {
        let answer = try check(good + [("Sec-WebSocket-Protocol", "a")])
        #expect(
            answer.headers.map(\.name) == [
                "Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol",
            ])
        #expect(answer.headers[0].value == "websocket")
        #expect(answer.headers[1].value == "Upgrade")
    }

    @Test(
        arguments: [
            (["a"], "a"), (["a, b"], "b"), (["x, a", "y"], "a"), (["x", "b", "a"], "b"),
            (["x"], nil), ([], nil), (["A"], nil), (["bb, aa"], nil), ([""], nil),
        ] as [([String], String?)])
    func `4·2·2 ⑤ one subprotocol of the client's is chosen, or none`(
        offers: [String], chosen: String?
    ) throws {
        let answer = try check(good + offers.map { ("sec-websocket-protocol", $0) })
        #expect(answer.subprotocol == chosen)
        let told = answer.headers.filter { $0.name == "Sec-WebSocket-Protocol" }.map(\.value)
        #expect(told == (chosen.map { [$0] } ?? []))
    }

    @Test(arguments: ["Sec-WebSocket-Key", "Sec-WebSocket-Version", "Host"])
    func `11·3 it refuses a field that may be there once and is there twice`(name: String) {
        let field = good.filter { $0.name == name }
        #expect(status(good + field) == (name == "Sec-WebSocket-Version" ? 426 : 400))
    }
}

@Suite("A client's handshake, by sections of RFC 6455") struct ClientHandshakeRulesTests {
    private let upgrade = WebSocketUpgradeRequest(
        nonce: Array("the sample nonce".utf8), subprotocols: ["a", "b"])

    /// The server's good answer with other fields in the place of those of their names.
    private func verify(_ others: (String, String?)..., status: Int = 101) throws -> String? {
        let answer = try check(upgrade.headers(host: "example.com"), subprotocols: []).headers
        let names = Set(others.map { $0.0.lowercased() })
        let kept = answer.filter { !names.contains($0.name.lowercased()) }
        let fields = kept + others.compactMap { name, value in value.map { (name, $0) } }
        return try upgrade.verify(status: status, headers: fields, sha1: sha1)
    }

    @Test func `4·1 its request has all that it needs, each once`() {
        let fields = upgrade.headers(host: "example.com:8443")
        #expect(
            fields.map { "\($0.name): \($0.value)" } == [
                "Host: example.com:8443", "Upgrade: websocket", "Connection: Upgrade",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Protocol: a, b",
            ])
        let bare = WebSocketUpgradeRequest(
            nonce: [UInt8](repeating: 0, count: 16), subprotocols: [])
        #expect(!bare.headers(host: "h").contains { $0.name == "Sec-WebSocket-Protocol" })
    }

    @Test func `4·1 it takes tokens in any case and among others`() throws {
        #expect(try verify(("Upgrade", "WebSocket")) == nil)
        #expect(try verify(("connection", "keep-alive, UPGRADE")) == nil)
    }

    @Test(arguments: [100, 200, 204, 301, 400, 401, 426, 503])
    func `4·1 it takes no other status than 101`(status: Int) {
        #expect(throws: BrokerError.self) { try verify(status: status) }
    }

    @Test(
        arguments: [
            ("Upgrade", nil), ("Upgrade", "h2c"), ("Connection", nil), ("Connection", "close"),
            ("Sec-WebSocket-Accept", nil), ("Sec-WebSocket-Accept", ""),
            ("Sec-WebSocket-Accept", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] as [(String, String?)])
    func `4·1 it fails without the fields of the answer`(name: String, value: String?) {
        #expect(throws: BrokerError.self) { try verify((name, value)) }
    }

    @Test func `4·1 it takes one subprotocol, of those that it offered`() throws {
        #expect(try verify(("Sec-WebSocket-Protocol", "b")) == "b")
        for wrong in ["c", "A", "a, b"] {
            #expect(throws: BrokerError.self) { try verify(("Sec-WebSocket-Protocol", wrong)) }
        }
    }

    @Test func `11·3·3 and 11·3·4 it fails by a field that is there twice`() {
        #expect(throws: BrokerError.self) {
            try verify(("Sec-WebSocket-Protocol", "a"), ("sec-websocket-protocol", "a"))
        }
        let accept = try? check(good).headers.first { $0.name == "Sec-WebSocket-Accept" }?.value
        #expect(throws: Never.self) { try verify(("Sec-WebSocket-Accept", accept)) }
        #expect(throws: BrokerError.self) {
            try verify(("Sec-WebSocket-Accept", accept), ("sec-websocket-accept", accept))
        }
    }
}
