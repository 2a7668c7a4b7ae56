package import EventModel

/// The token of `Authorization: Bearer` (RFC 6750 2.1).
package enum BearerToken {
    /// Finds the token among a request's `Authorization` fields.
    ///
    /// - Returns: `nil` without such a field.
    /// - Throws: `unauthorized`, saying what is wrong but never the token.
    package static func find(
        in fields: some Sequence<String>
    ) throws(BrokerError) -> String? {
        var found: String?
        for field in fields {
            guard found == nil else {
                throw BrokerError(.unauthorized, "The header Authorization comes twice.")
            }
            found = field
        }
        guard let found else { return nil }
        let scheme = found.utf8.prefix(7)
        let isBearer = scheme.elementsEqual("bearer ".utf8) { byte, expected in
            byte == expected || byte | 0x20 == expected && expected != UInt8(ascii: " ")
        }
        let token = trimmed(found[scheme.endIndex...])
        guard isBearer, !token.isEmpty, token.utf8.allSatisfy(isTokenByte) else {
            throw BrokerError(.unauthorized, "The Authorization header is not 'Bearer TOKEN'.")
        }
        return String(token)
    }

    /// What a request without credentials is told.
    package static var missing: BrokerError {
        BrokerError(.unauthorized, "The request has no Authorization header.")
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
