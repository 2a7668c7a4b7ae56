internal import NIOCore
internal import Transport
internal import WebSocketCodec

/// One WebSocket whose messages come back; confined to its event loop.
///
/// Nothing is read while an echo waits for the socket, so no more waits than one read has brought.
final class EchoConnection: StreamHandler {
    /// What is sent in one go; a blocked connection takes no more than that
    /// (`TransportLimits.blockedBytesMax`).
    private static let sliceBytes = 32 << 10

    private let stream: StreamConnection
    private var webSocket: WebSocketConnection
    /// Frames that wait, and how far they have left.
    private var outgoing: [UInt8] = []
    private var sentCount = 0
    private var closesBehind = false
    private var ticks: RepeatedTask?

    init(_ stream: StreamConnection, _ webSocket: WebSocketConnection) {
        self.stream = stream
        self.webSocket = webSocket
        let place = NIOLoopBound(self, eventLoop: stream.eventLoop)
        ticks = stream.eventLoop.scheduleRepeatedTask(
            initialDelay: .seconds(1), delay: .seconds(1)
        ) { _ in place.value.tick() }
    }

    // Unsafe memory: the transport lends its buffer for the call, and the codec reads it there.
    func received(_ bytes: UnsafeRawBufferPointer) {
        webSocket.received(bytes, now: .now)
        var isMore = true
        while isMore { decide { isMore = $0.next(now: .now, into: &$1) } }
    }

    func writable() { flush() }

    func inputEnded() { decide { $0.inputEnded(into: &$1) } }

    func closed() {
        ticks?.cancel()
        decide { $0.connectionLost(into: &$1) }
    }

    private func tick() {
        let waiting = outgoing.count - sentCount
        decide {
            $0.tick(
                now: .now,
                progress: { .init(sentBytes: 0, takenBytes: 0, isBlocked: waiting > 0) },
                into: &$1)
        }
    }

    private func decide(
        _ input: (inout WebSocketConnection, inout [WebSocketConnection.Action]) -> Void
    ) {
        var actions: [WebSocketConnection.Action] = []
        input(&webSocket, &actions)
        for action in actions {
            switch action {
            case .text(let bytes): decide { $0.send(text: bytes, into: &$1) }
            case .binary(let bytes): decide { $0.send(binary: bytes, into: &$1) }
            case .send(let frame): outgoing += frame
            case .ended: break
            case .closeConnection: closesBehind = true
            case .abortConnection: stream.abort()
            }
        }
        flush()
    }

    private func flush() {
        while sentCount < outgoing.count, !stream.isBlocked {
            let slice = outgoing[sentCount...].prefix(Self.sliceBytes)
            // Unsafe memory: the stream reads the bytes during the call.
            slice.withUnsafeBytes { stream.send($0) }
            sentCount += slice.count
        }
        let isDone = sentCount == outgoing.count
        if isDone {
            outgoing = []
            sentCount = 0
            if closesBehind { stream.close() }
        }
        stream.setReading(isDone)
    }
}

@available(*, unavailable) extension EchoConnection: Sendable {}
