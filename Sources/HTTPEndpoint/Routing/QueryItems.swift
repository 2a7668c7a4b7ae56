package import EventModel

/// The members of a request target's query in their order, decoded; for routes whose query another
/// target reads.
///
/// - Throws: `invalid_request` for a broken escape.
package func queryItems(of uri: String) throws(BrokerError) -> [(name: String, value: String)] {
    var items: [(name: String, value: String)] = []
    for member in (RequestTarget(uri).query ?? "").split(separator: "&") {
        let parts = member.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = percentDecoded(parts[0]),
            let value = percentDecoded(parts.count > 1 ? parts[1] : "")
        else {
            throw BrokerError(.invalidRequest, "The query is not percent-encoded UTF-8.")
        }
        items.append((name, value))
    }
    return items
}
