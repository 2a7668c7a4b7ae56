import EventModel
import Testing
import WebSocketCodec

private typealias Fields = [(name: String, value: String)]

/// SHA-1 of the one text that the example of RFC 6455 1.3 needs.
private func exampleSHA1(_ bytes: [UInt8]) -> [UInt8] {
    #expect(
        String(decoding: bytes, as: UTF8.self)
            == "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
    return [
        0xb3, 0x7a, 0x4f, 0x2c, 0xc0, 0x62, 0x4f, 0x16, 0x90, 0xf6, 0x46, 0x06, 0xcf, 0x38, 0x59,
        0x45, 0xb2, 0xbe, 0xc4, 0xea,
    ]
}

private let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

private let request: Fields = [
    ("Host", "example.com"), ("Upgrade", "WebSocket"), ("Connection", "keep-alive, Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13"),
]

private func replacing(_ name: String, _ value: String?) -> Fields {
    request.compactMap { field in
        guard field.name == name else { return field }
        return value.map { (name, $0) }
    }
}

private func check(
    _ headers: Fields, method: String = "GET", version: (Int, Int) = (1, 1)
) throws(WebSocketUpgrade.Refused) -> WebSocketUpgrade.Accepted {
    try WebSocketUpgrade.check(
        method: method, version: version, headers: headers, subprotocols: ["sluice.v1"],
        sha1: exampleSHA1)
}

@Suite("A request to upgrade, by sections of RFC 6455") struct WebSocketUpgradeTests {
    @Test func `1·3 is answered as in the example`() throws {
        let answer = try check(request)
        #expect(answer.headers.map(\.name) == ["Upgrade", "Connection", "Sec-WebSocket-Accept"])
        #expect(answer.headers.map(\.value) == ["websocket", "Upgrade", accept])
        #expect(answer.subprotocol == nil)
    }

    @Test func `4·2·2 gets a subprotocol of ours and never another`() throws {
        let offer = [
            ("Sec-WebSocket-Protocol", "bearer.slc_x, sluice.v1"), ("sec-websocket-protocol", "y"),
        ]
        let answer = try check(request + offer)
        #expect(answer.subprotocol == "sluice.v1")
        #expect(answer.offered == ["bearer.slc_x", "sluice.v1", "y"])
        #expect(answer.headers.last?.value == "sluice.v1")
        #expect(try check(request + [("Sec-WebSocket-Protocol", "other")]).subprotocol == nil)
    }

    @Test(
        arguments: [
            ("Host", nil), ("Connection", "keep-alive"), ("Connection", nil),
            ("Sec-WebSocket-Key", nil),
            ("Sec-WebSocket-Key", "short"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZ===="),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZSE="),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j*Q=="),
        ] as [(String, String?)])
    func `4·2·1 that is malformed is refused`(name: String, value: String?) {
        let refused = #expect(throws: WebSocketUpgrade.Refused.self) {
            try check(replacing(name, value))
        }
        #expect(refused?.error.code == .invalidRequest)
    }

    @Test func `11·3·1 with two keys is refused`() {
        let refused = #expect(throws: WebSocketUpgrade.Refused.self) {
            try check(request + [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")])
        }
        #expect(refused?.error.code == .invalidRequest)
    }

    @Test(arguments: ["12", "", "13, 8"])
    func `4·4 of another version is told ours`(version: String) {
        let refused = #expect(throws: WebSocketUpgrade.Refused.self) {
            try check(replacing("Sec-WebSocket-Version", version))
        }
        #expect(refused?.error.code == .upgradeRequired)
        #expect(
            refused?.headers.contains { $0.name == "Sec-WebSocket-Version" && $0.value == "13" }
                == true)
    }

    @Test func `4·2·1 must be a GET of HTTP 1·1 that asks for a WebSocket`() {
        let method = #expect(throws: WebSocketUpgrade.Refused.self) {
            try check(request, method: "POST")
        }
        #expect(method?.error.code == .methodNotAllowed)
        #expect(method?.headers.first?.value == "GET")
        let version = #expect(throws: WebSocketUpgrade.Refused.self) {
            try check(request, version: (1, 0))
        }
        #expect(version?.error.code == .invalidRequest)
        let plain = #expect(throws: WebSocketUpgrade.Refused.self) {
            try check(replacing("Upgrade", nil))
        }
        #expect(plain?.error.code == .upgradeRequired)
        #expect(!WebSocketUpgrade.isRequested(headers: replacing("Upgrade", nil)))
        #expect(WebSocketUpgrade.isRequested(headers: request))
    }
}

@Suite("A client's upgrade, by sections of RFC 6455") struct WebSocketUpgradeRequestTests {
    private let upgrade = WebSocketUpgradeRequest(
        nonce: Array("the sample nonce".utf8), subprotocols: ["sluice.v1", "bearer.x"])
    private let answer: Fields = [
        ("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-accept", accept),
    ]

    private func verify(_ headers: Fields, status: Int = 101) throws -> String? {
        try upgrade.verify(status: status, headers: headers, sha1: exampleSHA1)
    }

    @Test func `4·1 is one that the server accepts`() throws {
        let fields = upgrade.headers(host: "example.com")
        #expect(fields.map(\.name).last == "Sec-WebSocket-Protocol")
        let accepted = try check(fields)
        #expect(try verify(accepted.headers) == "sluice.v1")
    }

    @Test func `4·1 takes an answer without a subprotocol`() throws {
        #expect(try verify(answer) == nil)
    }

    @Test func `4·1 refuses answers that are not to it`() {
        #expect(throws: BrokerError.self) { try verify(answer, status: 200) }
        for index in answer.indices {
            var headers = answer
            headers.remove(at: index)
            #expect(throws: BrokerError.self) { try verify(headers) }
        }
        let wrong: Fields = [("Sec-WebSocket-Accept", "x")]
        #expect(throws: BrokerError.self) { try verify(answer + wrong) }
        #expect(throws: BrokerError.self) { try verify(answer + [("Sec-WebSocket-Protocol", "z")]) }
        #expect(throws: BrokerError.self) {
            try verify(answer + [("Sec-WebSocket-Extensions", "permessage-deflate")])
        }
    }
}
