package import NIOCore
package import NIOHTTP1
internal import Synchronization

/// One admitted request with its whole body, and the place of its answer.
package final class HTTPExchange: Sendable {
    package let head: HTTPRequestHead
    /// The body; it may share memory with what was received beside it, so copy what is kept long.
    package let body: ByteBuffer
    package let connection: ConnectionInfo
    /// What the service noted when it admitted the request.
    package let note: (any AnyObject & Sendable)?
    /// Counts the body as long as somebody has the exchange.
    private let reservation: BodyReservation?
    private let place: NIOLoopBound<HTTPServerHandler>
    private let number: Int
    private let isAnswered = Atomic(false)

    package var eventLoop: any EventLoop { connection.eventLoop }

    init(_ request: CollectedRequest, handler: HTTPServerHandler) {
        head = request.head
        body = request.bytes
        connection = handler.info
        note = request.note
        reservation = request.reservation
        place = NIOLoopBound(handler, eventLoop: handler.info.eventLoop)
        number = request.number
    }

    /// Answers the request: exactly once, from any thread, in any order.
    ///
    /// Answers leave in the order of the requests, those of one loop turn together. When the
    /// connection ended meanwhile the call has no effect.
    package func answer(_ answer: HTTPAnswer) {
        let wasAnswered = isAnswered.exchange(true, ordering: .relaxed)
        precondition(!wasAnswered, "bug: a request was answered twice")
        deliver { $0.settle($1, with: answer) }
    }

    /// Answers the request with a stream: instead of `answer`, on the event loop, and only a
    /// request that was admitted with `mayStream`.
    package func stream(_ stream: HTTPStream) {
        let wasAnswered = isAnswered.exchange(true, ordering: .relaxed)
        precondition(!wasAnswered, "bug: a request was answered twice")
        place.value.settle(number, with: stream)
    }

    /// Calls `body` once if the client sends nothing more before the request is answered.
    ///
    /// For an answer that waits; both are called on the event loop.
    package func whenInputEnds(_ body: @escaping () -> Void) {
        place.value.whenInputEnds(behind: number, body)
    }

    deinit {
        guard !isAnswered.load(ordering: .relaxed) else { return }
        deliver { $0.abandon($1) }
    }

    private func deliver(_ body: @escaping @Sendable (HTTPServerHandler, Int) -> Void) {
        let (place, number) = (place, number)
        if eventLoop.inEventLoop {
            body(place.value, number)
        } else {
            LoopTasks.execute(on: eventLoop) { body(place.value, number) }
        }
    }
}
