package import EventModel

/// Checks a request to upgrade (RFC 6455 4.2.1) and makes the answer (4.2.2), the server's side.
package enum WebSocketUpgrade {
    /// A request that may become a WebSocket.
    package struct Accepted: Sendable {
        /// The fields of the 101, in order.
        package var headers: [(name: String, value: String)]
        /// The subprotocol that was chosen and is told in `headers`.
        package var subprotocol: String?
        /// All that the client offered, also what is no subprotocol of ours, like `bearer.<token>`.
        package var offered: [String]
        /// How messages are deflated, as it is told in `headers`; `nil` if they are not.
        package var deflate: DeflateTerms?
    }

    /// A request that may not: the error, and the fields that its answer needs (RFC 9110 15.5.6,
    /// 15.5.22).
    package struct Refused: Error, Sendable {
        package var error: BrokerError
        package var headers: [(name: String, value: String)] = []
    }

    /// True if the request asks for a WebSocket at all.
    package static func isRequested(headers: [(name: String, value: String)]) -> Bool {
        HandshakeHeaders(headers).contains("websocket", in: "upgrade")
    }

    /// Checks the request and makes the answer.
    ///
    /// `version` is `(1, 1)` for HTTP/1.1; a later 1.x is fine. `subprotocols` are ours, the
    /// preferred one first; if the client offers none of them, none is chosen. Without `deflate`,
    /// no extension is agreed on. SHA-1 keeps no secret here: it only shows that the server
    /// understood (RFC 6455 1.3).
    package static func check(
        method: String, version: (major: Int, minor: Int), headers: [(name: String, value: String)],
        subprotocols: [String], deflate: DeflatePolicy? = nil, sha1: ([UInt8]) -> [UInt8]
    ) throws(Refused) -> Accepted {
        let fields = HandshakeHeaders(headers)
        let key = try key(method: method, version: version, fields)
        guard let extensions = ExtensionList.parse(fields.values("sec-websocket-extensions"))
        else {
            throw malformed("'Sec-WebSocket-Extensions' is not a list of extensions.")
        }
        let agreed = deflate?.answer(to: extensions)
        let offered = fields.list("sec-websocket-protocol")
        let chosen = subprotocols.first { offered.contains($0) }
        var answer = [
            (name: "Upgrade", value: "websocket"), (name: "Connection", value: "Upgrade"),
            (name: "Sec-WebSocket-Accept", value: AcceptKey.text(for: key, sha1: sha1)),
        ]
        if let chosen { answer.append((name: "Sec-WebSocket-Protocol", value: chosen)) }
        if let agreed { answer.append((name: "Sec-WebSocket-Extensions", value: agreed.element)) }
        return Accepted(
            headers: answer, subprotocol: chosen, offered: offered, deflate: agreed?.terms)
    }

    /// The client's key, once all is there that a request needs.
    private static func key(
        method: String, version: (major: Int, minor: Int), _ fields: HandshakeHeaders
    ) throws(Refused) -> String {
        guard method == "GET" else {
            throw Refused(
                error: BrokerError(
                    .methodNotAllowed, "A WebSocket begins with GET, not \(quoted(method))."),
                headers: [("Allow", "GET")])
        }
        guard version.major == 1, version.minor >= 1 else {
            throw malformed("A WebSocket needs HTTP/1.1.")
        }
        guard fields.values("host").count == 1 else {
            throw malformed("The request needs exactly one Host.")
        }
        guard fields.contains("websocket", in: "upgrade") else {
            throw Refused(
                error: BrokerError(.upgradeRequired, "This path is a WebSocket."),
                headers: [("Upgrade", "websocket"), ("Connection", "Upgrade")])
        }
        guard fields.contains("upgrade", in: "connection") else {
            throw malformed("'Connection' does not say 'Upgrade'.")
        }
        let versions = fields.values("sec-websocket-version").map { String(trimmed($0)) }
        guard versions == ["13"] else {
            throw Refused(
                error: BrokerError(
                    .upgradeRequired, "'Sec-WebSocket-Version' must be 13.",
                    remedy: "Use a client that speaks RFC 6455."),
                headers: [
                    ("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket"),
                    ("Connection", "Upgrade"),
                ])
        }
        let keys = fields.values("sec-websocket-key").map { String(trimmed($0)) }
        guard keys.count == 1, Base64.decodedCount(keys[0]) == 16 else {
            throw malformed("'Sec-WebSocket-Key' must be 16 bytes in Base64.")
        }
        return keys[0]
    }

    private static func malformed(_ message: String) -> Refused {
        Refused(
            error: BrokerError(
                .invalidRequest, message, remedy: "Connect with a WebSocket client (RFC 6455 4.1).")
        )
    }
}
