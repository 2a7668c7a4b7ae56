import NIOCore
import Transport
import WebSocketCodec
import ZlibBridge

/// A WebSocket's end at the socket, confined to its event loop.
final class TestClientHandler: StreamHandler {
    let stream: StreamConnection
    /// The broker has agreed to permessage-deflate.
    let isDeflated: Bool
    /// What came, up to 4 MiB.
    private(set) var wire: [UInt8] = []
    private var receiver: WebSocketReceiver
    private var inputs = CircularBuffer<Incoming>()
    private var waiter: EventLoopPromise<Incoming>?
    private var isOver = false

    init(_ stream: StreamConnection, isDeflated: Bool) {
        self.stream = stream
        self.isDeflated = isDeflated
        receiver = WebSocketReceiver(
            role: .client, messageBytesMax: 64 << 20, inflater: isDeflated ? Inflater() : nil)
    }

    func take() -> EventLoopFuture<Incoming> {
        if let input = inputs.popFirst() { return stream.eventLoop.makeSucceededFuture(input) }
        if isOver { return stream.eventLoop.makeSucceededFuture(.ended) }
        let promise = stream.eventLoop.makePromise(of: Incoming.self)
        waiter = promise
        let timer = stream.eventLoop.assumeIsolated().scheduleTask(in: .seconds(20)) {
            let waiter = self.waiter
            self.waiter = nil
            waiter?.fail(TimedOut(what: "the next message"))
        }
        promise.futureResult.assumeIsolated().whenComplete { _ in timer.cancel() }
        return promise.futureResult
    }

    private func put(_ input: Incoming) {
        guard let waiter else { return inputs.append(input) }
        self.waiter = nil
        waiter.succeed(input)
    }

    // Unsafe memory: the transport lends its buffer for the call.
    func received(_ bytes: UnsafeRawBufferPointer) {
        if wire.count < 4 << 20 { wire += bytes }
        var events: [WebSocketEvent] = []
        receiver.receive(bytes, into: &events)
        for event in events {
            switch event {
            case .text(let bytes): put(.message(String(decoding: bytes, as: UTF8.self)))
            case .ping: put(.ping)
            case .pong: put(.pong)
            case .close(let code, let reason): put(.close(code, reason))
            case .binary, .failed: put(.message("\(event)"))
            }
        }
    }

    func writable() {}

    func inputEnded() { stream.close() }

    func closed() {
        isOver = true
        put(.ended)
    }
}

@available(*, unavailable) extension TestClientHandler: Sendable {}
