/// Where a listener listens and how: `https://127.0.0.1:8443`, `http://[::1]:8080`.
package struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    package let isTLS: Bool
    /// An IP address or a host name, without brackets.
    package let host: String
    /// 0 lets the kernel choose.
    package let port: Int

    package init(isTLS: Bool, host: String, port: Int) {
        self.isTLS = isTLS
        self.host = host
        self.port = port
    }

    /// Reads `scheme://host[:port]`; the port is 8443 for https and 8080 for http if it is missing.
    package init(parsing text: String) throws(ListenAddressError) {
        let rest: Substring
        if text.hasPrefix("https://") {
            (isTLS, rest) = (true, text.dropFirst(8))
        } else if text.hasPrefix("http://") {
            (isTLS, rest) = (false, text.dropFirst(7))
        } else {
            throw ListenAddressError(text, "it must begin with https:// or http://")
        }
        let authority = rest.hasSuffix("/") ? rest.dropLast() : rest
        let portText: Substring
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else {
                throw ListenAddressError(text, "the IPv6 address lacks its closing bracket")
            }
            host = String(authority[authority.index(after: authority.startIndex)..<end])
            portText = authority[authority.index(after: end)...]
        } else {
            let end = authority.firstIndex(of: ":") ?? authority.endIndex
            host = String(authority[..<end])
            portText = authority[end...]
        }
        let allowed = host.utf8.allSatisfy { byte in
            byte > 0x20 && byte < 0x7f && !"/?#@[]".utf8.contains(byte)
        }
        guard !host.isEmpty, allowed else {
            throw ListenAddressError(text, "the host is missing or holds forbidden characters")
        }
        guard !portText.isEmpty else {
            port = isTLS ? 8443 : 8080
            return
        }
        let digits = portText.dropFirst()
        guard portText.first == ":", digits.allSatisfy(\.isASCIIDigit),
            let port = Int(digits), port <= 65_535
        else {
            throw ListenAddressError(text, "the port must be a number from 0 to 65535")
        }
        self.port = port
    }

    /// Whether only programs on this machine can reach it.
    package var isLoopback: Bool { Self.isLoopback(host) }

    /// Whether a name or address, without brackets, is this machine's alone (RFC 6761 6.3).
    package static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { $0.allSatisfy(\.isASCIIDigit) && UInt8($0) != nil }
    }

    package var description: String {
        let shown = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return "\(isTLS ? "https" : "http")://\(shown):\(port)"
    }
}

/// An address as it is really listened on: the port is never 0.
package typealias BoundAddress = ListenAddress

/// Why a listen address cannot be read.
package struct ListenAddressError: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ text: String, _ why: String) {
        description =
            "\(text) is not an address to listen on: \(why). Example: https://127.0.0.1:8443"
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { isASCII && isWholeNumber }
}
