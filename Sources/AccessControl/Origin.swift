internal import EventModel

/// The origin of a web page (RFC 6454 4): scheme, host and port, in lower case.
struct Origin: Hashable {
    let scheme: String
    /// A name, an address, or an IPv6 address in brackets.
    let host: String
    /// Empty for the scheme's own.
    let port: String

    /// Parses what a browser sends as `Origin`; `nil` for `null` and for what has a path.
    init?(_ text: some StringProtocol) {
        let text = trimmed(String(text)).lowercased()
        guard let separator = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<separator.lowerBound]
        let authority = text[separator.upperBound...]
        let end =
            authority.first == "["
            ? authority.firstIndex(of: "]").map { authority.index(after: $0) }
            : authority.firstIndex(of: ":") ?? authority.endIndex
        guard let end, Self.isScheme(scheme), Self.isHost(authority[..<end]) else { return nil }
        var port = authority[end...]
        if !port.isEmpty {
            port = port.dropFirst()
            guard authority[end] == ":", (1...5).contains(port.utf8.count),
                port.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 })
            else { return nil }
        }
        self.scheme = String(scheme)
        host = String(authority[..<end])
        self.port = port == Self.port(of: scheme) ? "" : String(port)
    }

    private static func port(of scheme: Substring) -> Substring? {
        switch scheme {
        case "http", "ws": "80"
        case "https", "wss": "443"
        default: nil
        }
    }

    /// RFC 3986 3.1.
    private static func isScheme(_ text: Substring) -> Bool {
        text.utf8.first.map(isLetter) == true
            && text.utf8.allSatisfy { isLetter($0) || isDigit($0) || "+-.".utf8.contains($0) }
    }

    private static func isHost(_ text: Substring) -> Bool {
        let isBracketed = text.hasPrefix("[")
        let name = isBracketed ? text.dropFirst().dropLast() : text
        return !name.isEmpty && !name.hasPrefix(".")
            && name.utf8.allSatisfy { byte in
                isLetter(byte) || isDigit(byte)
                    || (isBracketed ? ":.".utf8 : "-._".utf8).contains(byte)
            }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { byte >= 97 && byte <= 122 }
    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }
}
