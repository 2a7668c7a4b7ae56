package import EventModel
package import NIOCore
package import NIOHTTP1
package import Transport

/// A request with its whole body, and the way back; exactly one answer, from any thread.
package struct IncomingRequest: Sendable {
    package let head: HTTPRequestHead
    package let body: ByteBuffer
    package let connection: ConnectionInfo
    /// Who sends it; `nil` without access control.
    package let identity: Identity?
    package let answer: @Sendable (HTTPAnswer) -> Void

    package init(
        head: HTTPRequestHead, body: ByteBuffer, connection: ConnectionInfo,
        identity: Identity? = nil, answer: @escaping @Sendable (HTTPAnswer) -> Void
    ) {
        self.head = head
        self.body = body
        self.connection = connection
        self.identity = identity
        self.answer = answer
    }
}
