internal import AccessControl
internal import EventModel
internal import NIOHTTP1

/// What pages of other origins are told, so that their browsers let them use the interface (Fetch
/// standard, "CORS protocol"): those that the list has, all of it.
///
/// No credentials of the browser's own are asked for, as there are none: tokens come from the page.
struct CrossOrigin: Sendable {
    let list: OriginList

    /// The fields of an answer that a page may read.
    private static let exposed =
        "ETag, Location, Link, Retry-After, Allow, WWW-Authenticate, Date, Sluice-Cursor, "
        + "Sluice-Earliest, Sluice-Latest, Sluice-Caught-Up, Sluice-Resume-From"
    /// Of a request, beside those that need no leave.
    private static let allowed =
        "authorization, content-type, idempotency-key, sluice-event-id, sluice-key, if-match, "
        + "if-none-match, last-event-id, traceparent, tracestate"
    /// Browsers remember it for two hours at most, and some for less.
    private static let preflightAge = "7200"

    /// What every answer to a request has in addition, whatever it is.
    func fields(for head: HTTPRequestHead) -> HTTPHeaders {
        let isOfPage = head.headers.contains(name: "origin")
        let isKept = head.method == .GET || head.method == .HEAD
        // What a cache keeps of the answer to one page is not for another page.
        let varies = list.isSelective && (isOfPage || isKept)
        guard isOfPage || varies else { return [:] }
        var fields: HTTPHeaders = varies ? ["vary": "Origin"] : [:]
        let origins = head.headers["origin"]
        if origins.count == 1, list.lists(origins[0]) {
            let allowed = list.listsAll ? "*" : String(trimmed(origins[0]))
            fields.add(name: "access-control-allow-origin", value: allowed)
            fields.add(name: "access-control-expose-headers", value: Self.exposed)
        }
        return fields
    }

    /// Whether a browser asks if it may send a request.
    static func isPreflight(_ head: HTTPRequestHead) -> Bool {
        head.method == .OPTIONS && head.headers.contains(name: "origin")
            && head.headers.contains(name: "access-control-request-method")
    }

    /// What answers a preflight beside `fields`; the same for every path, so that a page can read
    /// what is wrong with one.
    ///
    /// - Throws: `origin_refused`.
    func preflight(_ head: HTTPRequestHead) throws(BrokerError) -> HTTPHeaders {
        try check(head)
        // The attributes of CloudEvents have any names.
        let attributes = head.headers[canonicalForm: "access-control-request-headers"]
            .map { $0.lowercased() }
            .filter { $0.hasPrefix("ce-") && $0.utf8.allSatisfy(Self.isNameByte) }
        return [
            "access-control-allow-methods": RouteTable.methods.map(\.rawValue)
                .joined(separator: ", "),
            "access-control-allow-headers": ([Self.allowed] + attributes).joined(separator: ", "),
            "access-control-max-age": Self.preflightAge,
        ]
    }

    /// Refuses what a page that is not listed would change where no token protects it: a browser
    /// sends simple requests before it asks, and only keeps the answer from the page (CWE-352).
    ///
    /// - Throws: `origin_refused`.
    func checkChange(_ head: HTTPRequestHead) throws(BrokerError) {
        switch head.method {
        case .GET, .HEAD, .OPTIONS: return
        default: try check(head)
        }
    }

    private func check(_ head: HTTPRequestHead) throws(BrokerError) {
        try list.check(head.headers["origin"], host: head.headers.first(name: "host"))
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
