internal import EventModel
internal import NIOHTTP1

/// The token of `Authorization: Bearer` (RFC 6750 2.1).
enum BearerToken {
    /// - Throws: `unauthorized`, saying what is wrong but never the token.
    static func find(in headers: HTTPHeaders) throws(BrokerError) -> String {
        var found: String?
        for (name, value) in headers where name.isField("authorization") {
            guard found == nil else {
                throw BrokerError(.unauthorized, "The header Authorization comes twice.")
            }
            found = value
        }
        guard let found else {
            throw BrokerError(.unauthorized, "The request has no Authorization header.")
        }
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
