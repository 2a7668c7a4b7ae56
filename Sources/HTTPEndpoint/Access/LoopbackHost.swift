internal import EventModel
internal import NIOHTTP1
internal import Transport

/// Whom a request is addressed to, where everybody is let in because only this machine can reach
/// us.
///
/// A web page anywhere can have its own name resolve to 127.0.0.1 and then ask us as its own host,
/// past the browser's rules (DNS rebinding, CWE-350). Its requests name that host; a request
/// without Host (HTTP/1.0) comes from no browser.
enum LoopbackHost {
    /// - Throws: `origin_refused`.
    static func check(_ headers: HTTPHeaders) throws(BrokerError) {
        guard let host = headers.first(name: "host"), !isLoopback(host) else { return }
        throw BrokerError(
            .originRefused,
            "Without access control (auth = none) the broker is localhost, not \(quoted(host)).",
            remedy: "Use localhost, 127.0.0.1 or [::1] in the address, or start the broker with "
                + "auth = token.")
    }

    /// Whether a Host field (RFC 9110 7.2) names this machine alone, on any port.
    static func isLoopback(_ text: String) -> Bool {
        let field = trimmed(text[...])
        let end =
            field.hasPrefix("[")
            ? field.firstIndex(of: "]").map { field.index(after: $0) } ?? field.startIndex
            : field.firstIndex(of: ":") ?? field.endIndex
        let port = field[end...]
        guard port.isEmpty || port.first == ":",
            port.utf8.dropFirst().allSatisfy({ $0 >= 48 && $0 <= 57 })
        else { return false }
        let host = field[..<end].lowercased()
        if host == "[::1]" || host.hasSuffix(".localhost") { return true }
        return !host.hasPrefix("[") && host != "::1" && ListenAddress.isLoopback(host)
    }
}
