internal import NIOCore
internal import SessionProtocol
package import Transport
package import WebSocketCodec

/// Takes what comes of a session; told on the connection's event loop.
package protocol SessionReceiver: AnyObject {
    /// Messages came, in order.
    ///
    /// - Returns: Whether no more are wanted now; `SessionSocket.resume` asks for them again.
    func put(_ messages: [[UInt8]]) -> Bool

    /// The session is over; said once, behind its messages.
    func finish(_ end: SessionEnd)
}

/// How a session ended.
package enum SessionEnd: Equatable, Sendable {
    /// With a close frame.
    case closed(code: UInt16?, reason: String)
    /// Without one.
    case broken(String)
}

/// A session's end at the socket: performs what its WebSocket decides, and passes messages on to
/// its receiver.
///
/// Confined to the connection's event loop.
package final class SessionSocket: StreamHandler {
    /// The most bytes of one message: an event at the largest limit that a broker can be given, and
    /// its envelope.
    static let messageBytesMax = 128 << 20

    private let stream: StreamConnection
    private let receiver: any SessionReceiver
    private var webSocket: WebSocketConnection
    /// Messages that wait for the socket; bounded by what a subscriber says to go on.
    private var outgoing: [[UInt8]] = []
    /// The receiver wants no more, so nothing is read.
    private var isPaused = false
    /// How long the broker may be silent; this long before it has said how often it speaks.
    private var silenceMax = Duration.seconds(40)
    private var timer: Scheduled<Void>?

    /// `compression` is what was agreed on in the handshake.
    package init(
        _ stream: StreamConnection, receiver: any SessionReceiver,
        compression: MessageCompression? = nil
    ) {
        self.stream = stream
        self.receiver = receiver
        webSocket = .client(
            messageBytesMax: Self.messageBytesMax,
            silence: SilenceWatch(silenceMax: silenceMax, now: .now),
            maskingKeys: SystemRandomNumberGenerator(), compression: compression)
        scheduleTick()
    }

    // MARK: From the socket

    // Unsafe memory: the transport lends its buffer for the call, and the codec reads it there.
    package func received(_ bytes: UnsafeRawBufferPointer) {
        webSocket.received(bytes, now: .now)
        // Nothing that is done about a message changes what the next one leads to.
        decide { while $0.next(now: .now, into: &$1) {} }
    }

    package func writable() { flush() }

    package func inputEnded() { decide { $0.inputEnded(into: &$1) } }

    package func closed() {
        decide { $0.connectionLost(into: &$1) }
        timer?.cancel()
    }

    // MARK: From the subscriber

    /// Sends a text message, behind those that wait.
    package func send(text: [UInt8]) {
        outgoing.append(text)
        flush()
    }

    /// A blocked connection takes small control frames only (`StreamConnection.isBlocked`).
    private func flush() {
        var sent = 0
        while sent < outgoing.count, !stream.isBlocked {
            decide { $0.send(text: outgoing[sent], into: &$1) }
            sent += 1
        }
        outgoing.removeFirst(sent)
    }

    /// The subscriber has taken what was waiting.
    package func resume() {
        guard isPaused else { return }
        isPaused = false
        webSocket.resumed(now: .now)
        stream.setReading(true)
        scheduleTick()
    }

    /// Sets how long the broker may be silent.
    func watch(silenceMax: Duration) {
        self.silenceMax = silenceMax
        webSocket.watch(silenceMax: silenceMax)
        scheduleTick()
    }

    /// Ends the session from this side.
    package func leave() { decide { $0.close(code: 1000, reason: "", now: .now, into: &$1) } }

    // MARK: Decisions

    private func decide(
        _ input: (inout WebSocketConnection, inout [WebSocketConnection.Action]) -> Void
    ) {
        var actions: [WebSocketConnection.Action] = []
        input(&webSocket, &actions)
        var messages: [[UInt8]] = []
        for action in actions {
            switch action {
            case .text(let text): messages += MessageBatch.messages(of: text)
            case .binary: break  // It does not belong to the protocol, and is allowed.
            // Unsafe memory: the stream reads the frame during the call and keeps a copy of what it
            // can't write.
            case .send(let frame): frame.withUnsafeBytes { stream.send($0) }
            case .ended(let end):
                put(messages)
                messages = []
                ended(end)
            case .closeConnection: stream.close()
            case .abortConnection: stream.abort()
            }
        }
        put(messages)
    }

    private func put(_ messages: [[UInt8]]) {
        guard !messages.isEmpty, receiver.put(messages), webSocket.isOpen else { return }
        isPaused = true
        webSocket.paused()
        stream.setReading(false)
    }

    private func ended(_ end: WebSocketConnection.End) {
        outgoing = []
        receiver.finish(SessionEnd(end, silenceMax: silenceMax))
        // The rest is read up to the broker's close, and forgotten.
        resume()
        scheduleTick()
    }

    private func scheduleTick() {
        timer?.cancel()
        guard let deadline = webSocket.deadline else { return }
        let wait = TimeAmount(max(deadline - .now, .zero))
        // Bytes that come meanwhile put the deadline off; then it is waited for again.
        timer = stream.eventLoop.assumeIsolated().scheduleTask(in: wait) {
            self.decide { $0.tick(now: .now, into: &$1) }
            self.scheduleTick()
        }
    }
}

@available(*, unavailable) extension SessionSocket: Sendable {}

extension SessionEnd {
    fileprivate init(_ end: WebSocketConnection.End, silenceMax: Duration) {
        self =
            switch end {
            case .closed(let code, let reason), .closedByPeer(let code, let reason):
                .closed(code: code, reason: reason)
            case .failed(let fault): .broken("the broker broke RFC 6455: \(fault.reason)")
            case .inputEnded: .broken("the broker ended the connection")
            case .lost: .broken("the connection was lost")
            case .silent: .broken("nothing was heard for \(silenceMax)")
            }
    }
}
