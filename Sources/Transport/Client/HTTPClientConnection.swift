package import NIOCore
package import NIOHTTP1

/// What a server made of a request for an upgrade.
package enum HTTPClientUpgrade: Sendable {
    /// The connection is a stream now.
    case upgraded(HTTPResponseHead)
    /// The server answered otherwise.
    case refused(HTTPResponseHead, ByteBuffer)
}

/// One keep-alive connection to a server, usable from any thread; it closes when it is let go.
package final class HTTPClientConnection: Sendable {
    package let info: ConnectionInfo
    /// Succeeds when the connection is over, also as a stream.
    package let closed: EventLoopFuture<Void>
    private let place: NIOLoopBound<HTTPClientHandler>

    package var eventLoop: any EventLoop { info.eventLoop }

    init(_ handler: HTTPClientHandler, closed: EventLoopFuture<Void>) {
        info = handler.info
        self.closed = closed
        place = NIOLoopBound(handler, eventLoop: info.eventLoop)
    }

    deinit {
        let place = place
        eventLoop.execute { place.value.finish() }
    }

    /// Sends a request; further ones may be sent before its answer comes (RFC 9112 9.3.2).
    ///
    /// Host and Content-Length are added. After a failure that is not `bodyBytesMax` nobody knows
    /// whether the server acted on the request.
    ///
    /// An answer with more than `bodyBytesMax` bytes, or that takes longer than `timeout`, fails
    /// and ends the connection.
    package func send(
        _ head: HTTPRequestHead, body: ByteBuffer? = nil, bodyBytesMax: Int = 64 << 20,
        timeout: TimeAmount? = nil
    ) -> EventLoopFuture<(HTTPResponseHead, ByteBuffer)> {
        let promise = eventLoop.makePromise(of: (HTTPResponseHead, ByteBuffer).self)
        let place = place
        perform {
            place.value.send(
                head, body: body,
                .init(bodyBytesMax: bodyBytesMax, timeout: timeout, purpose: .answer(promise)))
        }
        return promise.futureResult
    }

    /// Asks for an upgrade, behind requests that were sent before; nothing may be sent after it.
    ///
    /// The head brings the Upgrade, Connection and Sec-WebSocket headers of RFC 6455 4.1. `open` is
    /// called on the event loop when the server switched; what it sent behind its 101 is delivered
    /// after it.
    package func upgrade(
        _ head: HTTPRequestHead, timeout: TimeAmount? = .seconds(30),
        open: @escaping @Sendable (StreamConnection, HTTPResponseHead) -> any StreamHandler
    ) -> EventLoopFuture<HTTPClientUpgrade> {
        let promise = eventLoop.makePromise(of: HTTPClientUpgrade.self)
        let place = place
        perform {
            place.value.send(
                head, body: nil,
                .init(bodyBytesMax: 1 << 20, timeout: timeout, purpose: .upgrade(promise, open)))
        }
        return promise.futureResult
    }

    /// Closes behind the answers that are still awaited; a stream is not closed.
    package func close() {
        let place = place
        perform { place.value.finish() }
    }

    private func perform(_ body: @escaping @Sendable () -> Void) {
        if eventLoop.inEventLoop { body() } else { eventLoop.execute(body) }
    }
}
