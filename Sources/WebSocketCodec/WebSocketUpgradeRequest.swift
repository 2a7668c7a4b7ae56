package import EventModel

/// The client's side of the handshake (RFC 6455 4.1).
package struct WebSocketUpgradeRequest: Sendable {
    /// Sent as `Sec-WebSocket-Key`.
    package let key: String
    private let subprotocols: [String]
    private let deflate: DeflateParameters?

    /// - Parameters:
    ///   - nonce: 16 random bytes.
    ///   - subprotocols: Offered, the preferred one first.
    ///   - deflate: Offered; without it, no extension is.
    package init(nonce: [UInt8], subprotocols: [String], deflate: DeflateParameters? = nil) {
        precondition(nonce.count == 16, "bug: a nonce of \(nonce.count) bytes")
        key = Base64.encode(nonce)
        self.subprotocols = subprotocols
        self.deflate = deflate
    }

    /// The fields that make a GET an upgrade.
    ///
    /// `host` is the name, and the port unless it is the scheme's own.
    package func headers(host: String) -> [(name: String, value: String)] {
        var fields = [
            (name: "Host", value: host), (name: "Upgrade", value: "websocket"),
            (name: "Connection", value: "Upgrade"), (name: "Sec-WebSocket-Key", value: key),
            (name: "Sec-WebSocket-Version", value: "13"),
        ]
        if !subprotocols.isEmpty {
            fields.append(
                (name: "Sec-WebSocket-Protocol", value: subprotocols.joined(separator: ", ")))
        }
        if let deflate {
            fields.append((name: "Sec-WebSocket-Extensions", value: deflate.text(of: .offer)))
        }
        return fields
    }

    /// Checks the server's answer.
    ///
    /// - Returns: The subprotocol that the server chose.
    /// - Throws: `invalid_request` if the answer is not a valid 101 to this request; then the
    ///   connection must be closed.
    package func verify(
        status: Int, headers: [(name: String, value: String)], sha1: ([UInt8]) -> [UInt8]
    ) throws(BrokerError) -> String? {
        let fields = HandshakeHeaders(headers)
        guard status == 101 else { throw wrong("status \(status) instead of 101") }
        guard fields.contains("websocket", in: "upgrade") else {
            throw wrong("no 'Upgrade: websocket'")
        }
        guard fields.contains("upgrade", in: "connection") else {
            throw wrong("no 'Connection: Upgrade'")
        }
        let accepts = fields.values("sec-websocket-accept").map { String(trimmed($0)) }
        guard accepts == [AcceptKey.text(for: key, sha1: sha1)] else {
            throw wrong("'Sec-WebSocket-Accept' does not fit the key")
        }
        _ = try deflateTerms(headers: headers)
        let chosen = fields.list("sec-websocket-protocol")
        guard chosen.count <= 1, chosen.allSatisfy(subprotocols.contains) else {
            throw wrong("a subprotocol that was not offered")
        }
        return chosen.first
    }

    /// How messages are deflated by the server's answer, which is valid otherwise; `nil` if they
    /// are not.
    ///
    /// - Throws: `invalid_request` if the answer is none to what was offered; then the connection
    ///   must be closed (RFC 6455 4.1, RFC 7692 7.1).
    package func deflateTerms(
        headers: [(name: String, value: String)]
    ) throws(BrokerError) -> DeflateTerms? {
        let values = HandshakeHeaders(headers).values("sec-websocket-extensions")
        guard let extensions = ExtensionList.parse(values) else {
            throw wrong("a 'Sec-WebSocket-Extensions' that is no list of extensions")
        }
        guard let first = extensions.first else { return nil }
        guard let deflate, extensions.count == 1, first.name == DeflateParameters.name else {
            throw wrong("an extension that was not offered")
        }
        let answer = DeflateParameters(first.parameters, of: .answer)
        guard let terms = answer.flatMap(deflate.terms) else {
            throw wrong("other terms of permessage-deflate than were offered")
        }
        return terms
    }

    private func wrong(_ what: String) -> BrokerError {
        BrokerError(
            .invalidRequest, "The answer to the WebSocket upgrade has \(what).",
            remedy: "Check the address: is there a proxy that does not pass WebSockets on?")
    }
}
