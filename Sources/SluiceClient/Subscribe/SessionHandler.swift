internal import NIOCore
internal import Transport
internal import WebSocketCodec

/// A session's end at the socket: frames in, messages to the mailbox; nothing is decided here about
/// their meaning.
///
/// Confined to the connection's event loop.
final class SessionHandler: StreamHandler {
    /// The most bytes of one message: an event at the largest limit that a broker can be given, and
    /// its envelope.
    static let messageBytesMax = 128 << 20

    private let stream: StreamConnection
    private let mailbox: SessionMailbox
    private var receiver = WebSocketReceiver(role: .client, messageBytesMax: messageBytesMax)
    /// Messages that wait for the socket; bounded by what a subscriber says to go on.
    private var outgoing: [[UInt8]] = []
    private var isPaused = false
    private var silenceMax = Duration.seconds(40)
    private var heard = ContinuousClock.now
    private var watch: Scheduled<Void>?

    init(_ stream: StreamConnection, mailbox: SessionMailbox) {
        self.stream = stream
        self.mailbox = mailbox
        scheduleWatch()
    }

    // Unsafe memory: the transport lends its buffer for the call, and the codec reads it there.
    func received(_ bytes: UnsafeRawBufferPointer) {
        heard = .now
        var events: [WebSocketEvent] = []
        receiver.receive(bytes, into: &events)
        var messages: [[UInt8]] = []
        var end: SessionMailbox.End?
        for event in events {
            switch event {
            case .text(let message): messages.append(message)
            case .ping(let payload): send(.pong, payload)
            case .binary, .pong: break  // Neither belongs to the protocol; both are allowed.
            case .close(let code, let reason):
                send(.close, WebSocketFrame.closePayload(code: code))
                end = .closed(code: code, reason: reason)
            case .failed(let fault):
                send(
                    .close,
                    WebSocketFrame.closePayload(code: fault.closeCode, reason: fault.reason))
                end = .broken("the broker broke RFC 6455: \(fault.reason)")
            }
        }
        if !messages.isEmpty, mailbox.put(messages), end == nil {
            isPaused = true
            stream.setReading(false)
        }
        if let end { finish(end) }
    }

    func writable() { flush() }

    func inputEnded() { finish(.broken("the broker ended the connection")) }

    func closed() {
        watch?.cancel()
        mailbox.finish(.broken("the connection was lost"))
    }

    /// Sends a text message, behind those that wait.
    func send(text: [UInt8]) {
        outgoing.append(text)
        flush()
    }

    /// A blocked connection takes small control frames only (`StreamConnection.isBlocked`).
    private func flush() {
        var sent = 0
        while sent < outgoing.count, !stream.isBlocked {
            send(.text, outgoing[sent])
            sent += 1
        }
        outgoing.removeFirst(sent)
    }

    /// The subscriber has taken what was waiting.
    func resume() {
        guard isPaused else { return }
        isPaused = false
        // What was not read could not be heard.
        heard = .now
        stream.setReading(true)
    }

    /// Sets how long the broker may be silent.
    func watch(silenceMax: Duration) {
        self.silenceMax = silenceMax
        scheduleWatch()
    }

    /// Ends the session from this side.
    func leave() {
        send(.close, WebSocketFrame.closePayload(code: 1000))
        finish(.closed(code: 1000, reason: "left"))
    }

    private func finish(_ end: SessionMailbox.End) {
        watch?.cancel()
        mailbox.finish(end)
        stream.close()
    }

    /// A half-open connection never ends by itself (doc:Session, liveness).
    private func scheduleWatch() {
        watch?.cancel()
        let interval = TimeAmount(silenceMax / 4)
        watch = stream.eventLoop.assumeIsolated().scheduleTask(in: interval) {
            if !self.isPaused, ContinuousClock.now - self.heard > self.silenceMax {
                self.mailbox.finish(.broken("nothing was heard for \(self.silenceMax)"))
                self.stream.abort()
            } else {
                self.scheduleWatch()
            }
        }
    }

    private func send(_ opcode: WebSocketOpcode, _ payload: [UInt8]) {
        guard stream.isOpen else { return }
        let frame = WebSocketFrame.encodeMasked(
            opcode: opcode, payload: payload, maskingKey: UInt32.random(in: .min ... .max))
        // Unsafe memory: the stream reads the frame during the call and keeps a copy of what it
        // can't write.
        frame.withUnsafeBytes { stream.send($0) }
    }
}

@available(*, unavailable) extension SessionHandler: Sendable {}
