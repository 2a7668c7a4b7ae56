internal import AccessControl
internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import Transport

/// `POST /v1/tickets`: a ticket for who can't send headers.
struct TicketRoutes: Sendable {
    let tickets: TicketOffice

    var routes: [Route] {
        [
            Route(
                method: .POST, path: "/v1/tickets",
                summary: "Issues a ticket, which opens one request within 30 s.",
                results: [.json("It was issued.", "Ticket", status: 201)],
                action: .answer(issue))
        ]
    }

    @Sendable private func issue(_ request: RouteRequest) async throws -> HTTPAnswer {
        // A narrower ticket may be asked for one day; a wider one than was asked for is none.
        guard request.incoming.body.readableBytes == 0 else {
            throw BrokerError(
                .invalidRequest, "A ticket is asked for without a body.",
                remedy: "Leave the body out; a ticket may do all that its token may.")
        }
        let issued = await withCheckedContinuation { continuation in
            tickets.issue(to: request.incoming.identity) { continuation.resume(returning: $0) }
        }
        let (ticket, expires) = try issued.get()
        var json = JSONWriter(capacity: 128)
        json.raw(#"{"ticket":"#)
        json.string(ticket.text)
        json.raw(#","expires":"#)
        json.time(expires)
        json.raw("}")
        return .json(.created, json.bytes, headers: ["cache-control": "no-store"])
    }
}
