import EventModel
import Testing
import WebSocketCodec

private typealias Fields = [(name: String, value: String)]

private func sha1(_: [UInt8]) -> [UInt8] { [UInt8](repeating: 7, count: 20) }

/// A request with these `Sec-WebSocket-Extensions`, a field each.
private func accept(
    _ offers: [String], _ policy: DeflatePolicy? = DeflatePolicy(serverWindowBits: 8...15)
) throws(WebSocketUpgrade.Refused) -> WebSocketUpgrade.Accepted {
    let request: Fields = [
        ("Host", "example.com"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13"),
    ]
    return try WebSocketUpgrade.check(
        method: "GET", version: (1, 1),
        headers: request + offers.map { ("sec-websocket-extensions", $0) }, subprotocols: [],
        deflate: policy, sha1: sha1)
}

private func answer(
    _ offers: String..., policy: DeflatePolicy? = DeflatePolicy(serverWindowBits: 8...15)
) throws -> String? {
    try accept(offers, policy).headers.first { $0.name == "Sec-WebSocket-Extensions" }?.value
}

private let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

@Suite("A server's answer to offers of permessage-deflate") struct DeflateAnswerTests {
    @Test func `5 tells what was agreed on, in the answer and in the terms`() throws {
        #expect(try answer("permessage-deflate") == plain)
        #expect(
            try accept(["permessage-deflate"]).deflate
                == DeflateTerms(
                    serverKeepsContext: false, clientKeepsContext: false, serverWindowBits: 15,
                    clientWindowBits: 15))
    }

    @Test func `5 has no extension that was not offered, or that the server does not have`() throws
    {
        #expect(try answer() == nil)
        #expect(try answer("x-webkit-deflate-frame, permessage-bzip2; level=9") == nil)
        #expect(try answer("permessage-deflate", policy: nil) == nil)
        #expect(try accept(["permessage-deflate"], nil).deflate == nil)
    }

    @Test(
        arguments: [
            ["permessage-deflate; server_max_window_bits=10, permessage-deflate"],
            ["permessage-deflate; server_max_window_bits=10", "permessage-deflate"],
            ["foo; bar=\"baz\" , permessage-deflate;server_max_window_bits = \"10\""],
            [",, permessage-deflate; server_max_window_bits=\"\\10\",", "x"],
            ["permessage-deflate; unknown, permessage-deflate; server_max_window_bits=10"],
        ])
    func `5·1 takes the first that will do, over all fields`(offers: [String]) throws {
        #expect(try accept(offers).deflate?.serverWindowBits == 10)
    }

    @Test(arguments: [
        "permessage-deflate; foo", "permessage-deflate; foo=1",
        "permessage-deflate; Server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=\"true\"",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
        "permessage-deflate; server_max_window_bits",
    ])
    func `7·1 declines an unknown, a doubled or a wrong parameter`(offer: String) throws {
        #expect(try answer(offer) == nil)
        #expect(try answer("\(offer), permessage-deflate") == plain)
    }

    @Test(arguments: ["7", "16", "08", "0", "-9", "x", "9x", "150", "15.0", "\"7\""])
    func `7·1·2 declines window bits that are not 8 to 15 without leading zeros`(
        value: String
    ) throws {
        #expect(try answer("permessage-deflate; server_max_window_bits=\(value)") == nil)
        #expect(try answer("permessage-deflate; client_max_window_bits=\(value)") == nil)
    }

    @Test func `7·1·1·1 says server_no_context_takeover whoever asks, once`() throws {
        #expect(try answer("permessage-deflate; server_no_context_takeover") == plain)
    }

    @Test func `7·1·1·2 says client_no_context_takeover, which every client takes`() throws {
        #expect(try answer("permessage-deflate; client_no_context_takeover") == plain)
    }

    @Test(arguments: 8...15)
    func `7·1·2·1 says server_max_window_bits of the client's wish or less`(bits: Int) throws {
        let offer = "permessage-deflate; server_max_window_bits=\(bits)"
        #expect(try answer(offer) == "\(plain); server_max_window_bits=\(bits)")
        #expect(try accept([offer]).deflate?.serverWindowBits == bits)
        let small = DeflatePolicy(serverWindowBits: 8...12)
        #expect(
            try answer(offer, policy: small)
                == "\(plain); server_max_window_bits=\(min(bits, 12))")
        let single = DeflatePolicy(serverWindowBits: 15...15)
        let agreed = bits == 15 ? "\(plain); server_max_window_bits=15" : nil
        #expect(try answer(offer, policy: single) == agreed)
    }

    @Test func `7·1·2·2 never says client_max_window_bits, and keeps the client's hint`() throws {
        #expect(try answer("permessage-deflate; client_max_window_bits") == plain)
        let hint = "permessage-deflate; client_max_window_bits=9"
        #expect(try answer(hint) == plain)
        #expect(try accept([hint]).deflate?.clientWindowBits == 9)
    }

    @Test(arguments: [
        "", ",", ";", "permessage-deflate;", "permessage-deflate; =", "permessage-deflate; a=",
        "permessage-deflate; a=\"\"", "permessage-deflate; a=\"b", "permessage-deflate; a=\"b c\"",
        "permessage-deflate; a=\"b\\\"", "permessage-deflate a", "permessage@deflate",
        "permessage-deflate; a=b=c", "permessage-deflate; ä", "permessage-deflate; a=\"b\"c",
    ])
    func `RFC 6455 9·1 refuses what is no list of extensions`(value: String) {
        let refused = #expect(throws: WebSocketUpgrade.Refused.self) { try accept([value]) }
        #expect(refused?.error.code.httpStatus == 400)
        #expect(throws: WebSocketUpgrade.Refused.self) { try accept([value], nil) }
    }
}

@Suite("A client that offers permessage-deflate") struct DeflateOfferTests {
    /// What the server's answer leads to.
    private func terms(
        _ offer: DeflateParameters?, _ answers: String...
    ) throws -> DeflateTerms? {
        let request = WebSocketUpgradeRequest(
            nonce: Array("the sample nonce".utf8), subprotocols: [], deflate: offer)
        let head: Fields = [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", "BwcHBwcHBwcHBwcHBwcHBwcHBwc="),
        ]
        let headers = head + answers.map { ("Sec-WebSocket-Extensions", $0) }
        _ = try request.verify(status: 101, headers: headers, sha1: sha1)
        return try request.deflateTerms(headers: headers)
    }

    private let all = DeflateParameters(
        serverNoContextTakeover: true, clientNoContextTakeover: true, serverMaxWindowBits: 10,
        clientMaxWindowBits: 11)

    @Test func `7·1 says what it offers, and the server reads it`() throws {
        let offers: [(DeflateParameters, String)] = [
            (DeflateParameters(), "permessage-deflate"),
            (
                DeflateParameters(clientMaxWindowBits: 15),
                "permessage-deflate; client_max_window_bits"
            ),
            (
                all,
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
                    + "server_max_window_bits=10; client_max_window_bits=11"
            ),
        ]
        for (offer, text) in offers {
            let request = WebSocketUpgradeRequest(
                nonce: Array("the sample nonce".utf8), subprotocols: [], deflate: offer)
            let fields = request.headers(host: "example.com")
            #expect(fields.last?.name == "Sec-WebSocket-Extensions")
            #expect(fields.last?.value == text)
            let accepted = try #require(try answer(text))
            #expect(try terms(offer, accepted) == accept([text]).deflate)
        }
    }

    @Test func `5 may be declined`() throws {
        #expect(try terms(all) == nil)
    }

    @Test func `7·1·1 keeps context unless one of the two says otherwise`() throws {
        let offer = DeflateParameters()
        let kept = try terms(offer, "permessage-deflate")
        #expect(kept?.serverKeepsContext == true)
        #expect(kept?.clientKeepsContext == true)
        let none = try terms(offer, plain)
        #expect(none?.serverKeepsContext == false)
        #expect(none?.clientKeepsContext == false)
        // 7.1.1.2: the hint holds although the server does not repeat it.
        let hint = try terms(DeflateParameters(clientNoContextTakeover: true), "permessage-deflate")
        #expect(hint?.clientKeepsContext == false)
        #expect(hint?.serverKeepsContext == true)
    }

    @Test func `7·1·2 keeps to the smaller window`() throws {
        let offer = DeflateParameters(serverMaxWindowBits: 12, clientMaxWindowBits: 12)
        let smaller = try terms(
            offer, "permessage-deflate; server_max_window_bits=9; client_max_window_bits=8")
        #expect(smaller?.serverWindowBits == 9)
        #expect(smaller?.clientWindowBits == 8)
        let larger = try terms(
            offer, "permessage-deflate; server_max_window_bits=12; client_max_window_bits=14")
        #expect(larger?.clientWindowBits == 12)
        let unasked = try terms(
            DeflateParameters(), "permessage-deflate; server_max_window_bits=11")
        #expect(unasked?.serverWindowBits == 11)
        #expect(unasked?.clientWindowBits == 15)
    }

    @Test(arguments: [
        "permessage-deflate",  // 7.1.1.1: server_no_context_takeover must be confirmed.
        "permessage-deflate; server_no_context_takeover",  // 7.1.2.1: and so must the window.
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=11",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=7",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; foo",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; "
            + "client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; "
            + "server_max_window_bits=9",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=9, "
            + "permessage-deflate", "foo", "permessage-deflate;", "",
    ])
    func `7·1 fails by an answer that is none to the offer`(answer: String) {
        #expect(throws: BrokerError.self) { try terms(all, answer) }
    }

    @Test func `7·1·2·2 fails by a client_max_window_bits that it did not offer`() {
        #expect(throws: BrokerError.self) {
            try terms(DeflateParameters(), "permessage-deflate; client_max_window_bits=15")
        }
    }

    @Test func `RFC 6455 4·1 fails by an extension although it offered none`() {
        #expect(throws: BrokerError.self) { try terms(nil, "permessage-deflate") }
    }
}
