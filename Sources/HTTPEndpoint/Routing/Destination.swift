internal import EventModel
internal import NIOHTTP1

/// Where a request goes; found once, by its head alone.
struct Destination: Sendable {
    let found: RouteTable.Found
    /// What it gets that asks for a WebSocket.
    let webSocket: Route.WebSocket?
    /// Its answer is a stream over HTTP.
    let isStream: Bool

    init(of head: HTTPRequestHead, in table: RouteTable) {
        found = table.find(head.method, head.uri)
        webSocket = found.webSocket(for: head)
        isStream =
            if case .route(let route, _) = found { route.isStream(for: head) } else { false }
    }
}

/// What is known of a request whose body is being collected.
final class AdmittedRequest: Sendable {
    let destination: Destination
    /// Who sends it; `nil` if that does not matter, or nobody asks.
    let identity: Identity?

    init(_ destination: Destination, by identity: Identity? = nil) {
        self.destination = destination
        self.identity = identity
    }
}
