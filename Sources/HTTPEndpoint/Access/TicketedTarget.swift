internal import AccessControl
internal import NIOHTTP1

/// The target of a request, and the tickets that were in its query.
///
/// They are taken out at the door, so that nobody behind it can repeat one.
struct TicketedTarget {
    private(set) var target: String
    private(set) var tickets: [String] = []

    /// A ticket is one in the query of a GET alone; elsewhere it is a member like any other.
    init(of head: HTTPRequestHead) {
        target = head.uri
        guard head.method == .GET || head.method == .HEAD,
            let query = RequestTarget(head.uri).query
        else { return }
        var members: [Substring] = []
        for member in query.split(separator: "&", omittingEmptySubsequences: false) {
            let parts = member.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if percentDecoded(parts[0]) == Ticket.queryItem {
                let value = parts.count > 1 ? parts[1] : ""
                // What can't be decoded is no ticket either.
                tickets.append(percentDecoded(value) ?? "")
            } else {
                members.append(member)
            }
        }
        guard !tickets.isEmpty else { return }
        target = String(RequestTarget(head.uri).path)
        if !members.isEmpty { target += "?" + members.joined(separator: "&") }
    }
}
