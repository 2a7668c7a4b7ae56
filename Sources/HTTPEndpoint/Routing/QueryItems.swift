package import EventModel

/// The members of a request target's query in their order, decoded; for routes whose query another
/// target reads.
///
/// - Throws: `invalid_request` for a broken escape.
package func queryItems(of uri: String) throws(BrokerError) -> [(name: String, value: String)] {
    var items: [(name: String, value: String)] = []
    for member in (RequestTarget(uri).query ?? "").split(separator: "&") {
        guard let item = decodedMember(member) else {
            throw BrokerError(.invalidRequest, "The query is not percent-encoded UTF-8.")
        }
        items.append(item)
    }
    return items
}

/// A member of a query, decoded; `nil` as `percentDecoded`.
///
/// In a filter `+` is a space, as forms and `curl --data-urlencode` write it. Elsewhere it stays
/// `+`: start positions hold times with offsets.
func decodedMember(_ member: Substring) -> (name: String, value: String)? {
    let parts = member.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard let name = percentDecoded(parts[0]) else { return nil }
    var text = parts.count > 1 ? parts[1] : ""
    if name == "filter" { text = Substring(text.map { $0 == "+" ? " " : $0 }) }
    return percentDecoded(text).map { (name, $0) }
}
