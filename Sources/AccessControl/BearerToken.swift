package import EventModel

/// The token of `Authorization: Bearer` (RFC 6750 2.1).
package enum BearerToken {
    /// Finds the token among a request's `Authorization` fields.
    ///
    /// - Returns: `nil` without such a field.
    /// - Throws: `unauthorized`, saying what is wrong but never the token.
    package static func find(in fields: [String]) throws(BrokerError) -> String? {
        guard fields.count <= 1 else {
            throw BrokerError(.unauthorized, "The header Authorization comes twice.")
        }
        guard let field = fields.first else { return nil }
        let bytes = Array(field.utf8)
        let isBearer = bytes.prefix(7).elementsEqual("bearer ".utf8) { byte, expected in
            byte == expected || byte | 0x20 == expected && expected != UInt8(ascii: " ")
        }
        var token = bytes.dropFirst(7).drop(while: isSpace)
        while let last = token.last, isSpace(last) { token.removeLast() }
        guard isBearer, !token.isEmpty, token.allSatisfy(isTokenByte) else {
            throw BrokerError(.unauthorized, "The Authorization header is not 'Bearer TOKEN'.")
        }
        return String(decoding: token, as: UTF8.self)
    }

    /// What a request without credentials is told.
    package static var missing: BrokerError {
        BrokerError(.unauthorized, "The request has no Authorization header.")
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    /// `b64token` of RFC 6750 2.1.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "+"), UInt8(ascii: "/"),
            UInt8(ascii: "="):
            true
        default: false
        }
    }
}
