/// Where a broker is: `https://127.0.0.1:8443`.
public struct BrokerAddress: Hashable, Sendable, CustomStringConvertible {
    /// Whether the connection is encrypted.
    public var isTLS: Bool
    /// A name or address, without the brackets of IPv6.
    public var host: String
    /// 1 to 65535.
    public var port: Int

    /// Parses `https://HOST[:PORT]`; `http`, `wss` and `ws` are understood, too.
    ///
    /// - Parameter text: Without a path; the default ports are those of the schemes, 443 and 80.
    /// - Throws: What is wrong with the text.
    public init(_ text: String) throws(SluiceError) {
        let schemes = [("https://", true), ("wss://", true), ("http://", false), ("ws://", false)]
        guard let (scheme, isTLS) = schemes.first(where: { text.hasPrefix($0.0) }) else {
            throw Self.refused(text)
        }
        var rest = text.dropFirst(scheme.count)
        if rest.hasSuffix("/") { rest.removeLast() }
        self.isTLS = isTLS
        let portText: Substring
        if rest.hasPrefix("[") {
            guard let bracket = rest.firstIndex(of: "]") else { throw Self.refused(text) }
            host = String(rest[rest.index(after: rest.startIndex)..<bracket])
            portText = rest[rest.index(after: bracket)...]
        } else {
            let colon = rest.firstIndex(of: ":") ?? rest.endIndex
            host = String(rest[..<colon])
            portText = rest[colon...]
        }
        let hostIsSound = host.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7F && !"/?#@[]".utf8.contains($0)
        }
        guard !host.isEmpty, hostIsSound else { throw Self.refused(text) }
        if portText.isEmpty {
            port = isTLS ? 443 : 80
            return
        }
        let digits = portText.dropFirst()
        guard portText.first == ":", digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(digits), (1...65_535).contains(port)
        else { throw Self.refused(text) }
        self.port = port
    }

    private static func refused(_ text: String) -> SluiceError {
        SluiceError(
            .invalid, code: "invalid_request", "'\(text)' is not the address of a broker.",
            remedy: "Write it like https://127.0.0.1:8443, without a path.")
    }

    /// The address as a URL.
    public var description: String { "\(isTLS ? "https" : "http")://\(authority)" }

    /// Host and port, as in a Host header.
    var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
