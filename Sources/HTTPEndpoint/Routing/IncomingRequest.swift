package import EventModel
package import NIOCore
package import NIOHTTP1
package import Transport

/// A request with its whole body, and the way back; exactly one answer.
package struct IncomingRequest: Sendable {
    /// The head, without the tickets in its target.
    package let head: HTTPRequestHead
    /// The tickets of the query, whether they are good or not; the sender is who was let in by one.
    package let tickets: [String]
    package let body: ByteBuffer
    package let connection: ConnectionInfo
    /// Who sends it; `nil` without access control.
    package let identity: Identity?
    /// To be called from any thread.
    package private(set) var answer: @Sendable (HTTPAnswer) -> Void
    /// The same with a stream, on the connection's event loop, for a request that may have one.
    package private(set) var stream: @Sendable (HTTPStream) -> Void
    /// Calls back once if the client leaves before the answer; both on the connection's event loop.
    package let whenClientLeaves: @Sendable (@escaping () -> Void) -> Void

    package init(
        head: HTTPRequestHead, body: ByteBuffer, connection: ConnectionInfo,
        identity: Identity? = nil, answer: @escaping @Sendable (HTTPAnswer) -> Void,
        stream: @escaping @Sendable (HTTPStream) -> Void,
        whenClientLeaves: @escaping @Sendable (@escaping () -> Void) -> Void = { _ in }
    ) {
        let ticketed = TicketedTarget(of: head)
        var head = head
        if !ticketed.tickets.isEmpty { head.uri = ticketed.target }
        self.head = head
        tickets = ticketed.tickets
        self.body = body
        self.connection = connection
        self.identity = identity
        self.answer = answer
        self.stream = stream
        self.whenClientLeaves = whenClientLeaves
    }

    /// The same request, whose answer has further fields.
    func adding(_ fields: HTTPHeaders) -> IncomingRequest {
        guard !fields.isEmpty else { return self }
        var request = self
        request.answer = { [answer] in answer($0.adding(fields)) }
        request.stream = { [stream] in stream($0.adding(fields)) }
        return request
    }
}
