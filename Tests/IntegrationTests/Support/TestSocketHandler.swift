import EventModel
import NIOCore
import SessionProtocol
import Transport
import WebSocketCodec
import ZlibBridge

/// What comes over a WebSocket.
enum SocketInput: Sendable {
    case message(BrokerMessage, bytes: [UInt8])
    case ping
    case pong
    /// The close frame.
    case closed(code: UInt16?, reason: String)
    /// The connection is over; the last that comes.
    case ended
}

/// A WebSocket's end at the socket, confined to its event loop.
final class TestSocketHandler: StreamHandler {
    let stream: StreamConnection
    private var receiver: WebSocketReceiver
    private var inputs = CircularBuffer<SocketInput>()
    private var waiter: EventLoopPromise<SocketInput>?
    private var isOver = false

    /// The most bytes a second that are read; `nil` for all that come.
    var bytesPerSecond: Int?
    /// What was read and not yet waited for.
    private var bytesAhead = 0
    private var isWaiting = false

    init(_ stream: StreamConnection, isDeflated: Bool) {
        self.stream = stream
        receiver = WebSocketReceiver(
            role: .client, messageBytesMax: 64 << 20, inflater: isDeflated ? Inflater() : nil)
    }

    func take(within patience: TimeAmount) -> EventLoopFuture<SocketInput> {
        if let input = inputs.popFirst() { return stream.eventLoop.makeSucceededFuture(input) }
        if isOver { return stream.eventLoop.makeSucceededFuture(.ended) }
        let promise = stream.eventLoop.makePromise(of: SocketInput.self)
        waiter = promise
        let timer = stream.eventLoop.assumeIsolated().scheduleTask(in: patience) {
            guard let waiter = self.waiter else { return }
            self.waiter = nil
            waiter.fail(TimedOut(what: "the socket's next message"))
        }
        promise.futureResult.assumeIsolated().whenComplete { _ in timer.cancel() }
        return promise.futureResult
    }

    private func put(_ input: SocketInput) {
        if let waiter {
            self.waiter = nil
            waiter.succeed(input)
        } else {
            inputs.append(input)
        }
    }

    func send(_ bytes: [UInt8]) {
        guard stream.isOpen else { return }
        // Unsafe memory: the stream reads during the call, and copies what it can't write.
        bytes.withUnsafeBytes { stream.send($0) }
    }

    // Unsafe memory: the transport lends its buffer for the call, and the codec reads it there.
    func received(_ bytes: UnsafeRawBufferPointer) {
        bytesAhead += bytes.count
        waitForBytesAhead()
        var events: [WebSocketEvent] = []
        receiver.receive(bytes, into: &events)
        for event in events { received(event) }
    }

    private func received(_ event: WebSocketEvent) {
        switch event {
        case .text(let text): for message in MessageBatch.messages(of: text) { received(message) }
        case .binary: put(.closed(code: nil, reason: "a binary message"))
        case .ping(let payload):
            send(
                WebSocketFrame.encodeMasked(
                    opcode: .pong, payload: payload, maskingKey: .random(in: .min ... .max)))
            put(.ping)
        case .pong: put(.pong)
        case .close(let code, let reason):
            send(
                WebSocketFrame.encodeMasked(
                    opcode: .close, payload: WebSocketFrame.closePayload(code: code),
                    maskingKey: .random(in: .min ... .max)))
            put(.closed(code: code, reason: reason))
        case .failed(let fault): put(.closed(code: nil, reason: "broken: \(fault.reason)"))
        }
    }

    private func received(_ bytes: [UInt8]) {
        do {
            guard let message = try BrokerMessage.decode(bytes) else {
                return put(.closed(code: nil, reason: "unknown message \(bytes.text)"))
            }
            put(.message(message, bytes: bytes))
        } catch {
            put(.closed(code: nil, reason: "\(error) in \(bytes.text.prefix(300))"))
        }
    }

    private func waitForBytesAhead() {
        guard !isWaiting else { return }
        guard let bytesPerSecond, bytesAhead > 0 else {
            bytesAhead = 0
            return
        }
        isWaiting = true
        stream.setReading(false)
        let time = Duration.seconds(bytesAhead) / bytesPerSecond
        bytesAhead = 0
        _ = stream.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(time)) {
            self.isWaiting = false
            self.stream.setReading(true)
            self.waitForBytesAhead()
        }
    }

    func writable() {}

    func inputEnded() { stream.close() }

    func closed() {
        isOver = true
        put(.ended)
    }
}

@available(*, unavailable) extension TestSocketHandler: Sendable {}
