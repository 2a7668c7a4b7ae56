package import EventModel

/// Which pages of other origins may use the broker: the key `origins`, for WebSockets and for HTTP.
///
/// An item is an origin, like `https://app.example.com:8443`; `https://*.example.com` for all hosts
/// below a name; or `*` for every page.
package struct OriginList: Sendable {
    /// Every page is listed.
    package private(set) var listsAll = false
    private var exact: Set<Origin> = []
    /// Their hosts stand for all that are below them.
    private var parents: [Origin] = []

    /// - Parameter items: Those that are none are left out; `isItem` tells.
    package init(_ items: [String]) {
        for item in items {
            if item == "*" {
                listsAll = true
            } else if let parent = Self.parent(item) {
                parents.append(parent)
            } else if let origin = Origin(item) {
                exact.insert(origin)
            }
        }
    }

    package static func isItem(_ text: String) -> Bool {
        text == "*" || parent(text) != nil || Origin(text) != nil
    }

    /// `https://example.com` of `https://*.example.com`.
    private static func parent(_ item: String) -> Origin? {
        guard let star = item.firstRange(of: "://*.") else { return nil }
        let host = item[star.upperBound...]
        guard !host.hasPrefix("["), !host.hasPrefix(".") else { return nil }
        return Origin("\(item[..<star.lowerBound])://\(host)")
    }

    /// Whether answers differ by who asks.
    package var isSelective: Bool { !listsAll && !(exact.isEmpty && parents.isEmpty) }

    /// Whether the list has the origin, as a browser sends it.
    package func lists(_ origin: String) -> Bool {
        if listsAll { return true }
        guard isSelective, let origin = Origin(origin) else { return false }
        return exact.contains(origin)
            || parents.contains { parent in
                origin.scheme == parent.scheme && origin.port == parent.port
                    && origin.host.hasSuffix(".\(parent.host)")
            }
    }

    /// Refuses pages of other sites, which would use their visitor's network position (CWE-1385).
    ///
    /// Without `Origin` the client is no browser. Otherwise its host and port must be those of
    /// `Host`, whatever the scheme, as a proxy may have ended TLS; or it is listed.
    /// - Parameters:
    ///   - origins: The fields of that name.
    ///   - host: The field Host.
    /// - Throws: `origin_refused`.
    package func check(_ origins: [String], host: String?) throws(BrokerError) {
        guard let text = origins.first else { return }
        if origins.count == 1 {
            if lists(text) { return }
            if let origin = Origin(text), let host,
                Origin("\(origin.scheme)://\(trimmed(host))") == origin
            {
                return
            }
        }
        throw BrokerError(
            .originRefused, "A page of \(quoted(text)) may not connect.",
            remedy: "List the origin in the broker's configuration (origins) if it should.")
    }
}
