internal import Delivery
internal import EventModel
internal import FanOut
package import SessionProtocol
internal import Transport
internal import WebSocketCodec

/// One WebSocket of a subscriber: performs what its protocol machine decides.
///
/// What the messages mean is their handler's; what waits for the socket is the outlet's. Confined
/// to its loop.
package final class SubscriberConnection {
    package var place = 0
    let outlet: Outlet
    private let stream: StreamConnection
    private var webSocket: WebSocketConnection
    private var handler: (any MessageHandler)?
    /// Messages are looked at as soon as so many bytes are read: what is deflated in them may become
    /// a thousand times as much.
    private static let pieceBytes = 2 << 10

    /// `outlet`: Delivers in an encoding of texts; `isDeflated`: permessage-deflate was agreed on.
    init(_ stream: StreamConnection, outlet: Outlet, isDeflated: Bool) {
        self.stream = stream
        self.outlet = outlet
        let loop = outlet.loop
        let keepalive = Keepalive(
            pingInterval: loop.limits.heartbeatInterval,
            pongTimeout: loop.limits.heartbeatInterval,
            stuckTimeout: loop.limits.stuckTimeout, now: .now)
        // Their handler raises it to what its client may say.
        webSocket = .server(
            messageBytesMax: 0, keepalive: keepalive,
            closeTimeout: loop.limits.sessionCloseTimeout,
            compression: isDeflated ? loop.compression : nil)
        outlet.open(stream, for: self)
        loop.add(self)
    }

    /// From now on, messages go to their handler.
    func begin(_ handler: any MessageHandler) { self.handler = handler }

    // MARK: For the handler

    var info: ConnectionInfo { stream.info }
    var loop: LoopDelivery { outlet.loop }

    /// Sends messages in one text, behind what waits already: an array of them if they are several
    /// (doc:Session).
    func send(_ messages: [BrokerMessage]) {
        let text = MessageBatch.text(of: messages.map { $0.encode() })
        decide { $0.send(text: text, into: &$1) }
    }

    /// Ends the conversation: what waits of subscriptions is dropped, replies still go out, then
    /// the close frame.
    func close(_ code: UInt16, reason: String) {
        decide { $0.close(code: code, reason: reason, now: .now, into: &$1) }
        outlet.flush()
    }

    // MARK: Decisions

    private func decide(
        _ input: (inout WebSocketConnection, inout [WebSocketConnection.Action]) -> Void
    ) {
        var actions: [WebSocketConnection.Action] = []
        input(&webSocket, &actions)
        for action in actions { perform(action) }
    }

    private func perform(_ action: WebSocketConnection.Action) {
        switch action {
        case .text(let bytes): handler?.received(text: bytes)
        case .binary: handler?.receivedBinary()
        case .send(let frame): outlet.send(frame)
        case .ended: outlet.endSubscriptions()
        case .closeConnection:
            outlet.flush()
            outlet.finish()
        case .abortConnection:
            outlet.flush()
            stream.abort()
        }
    }
}

@available(*, unavailable) extension SubscriberConnection: Sendable {}

extension SubscriberConnection: DeliveryConnection {
    package var backlogBytes: Int { outlet.backlogBytes }

    package func tick(now: ContinuousClock.Instant) {
        outlet.tick(now: now)
        if outlet.takeHasSent() { handler?.sent(now: now) }
        handler?.tick(now: now)
        decide { $0.tick(now: now, progress: progress, into: &$1) }
    }

    private func progress() -> Keepalive.Progress {
        let socket = stream.progress
        let sent = outlet.sentBytes
        return Keepalive.Progress(
            sentBytes: sent, takenBytes: socket?.acknowledgedBytes ?? sent,
            isBlocked: stream.isBlocked || backlogBytes > 0 || (socket?.unsentBytes ?? 0) > 0)
    }

    package var tokenID: String? { handler?.tokenID }

    package func end(_ code: CloseCode) { handler?.end(code) }

    package func drain(reconnectAfter: Duration) {
        handler?.drain(reconnectAfter: reconnectAfter)
    }
}

extension SubscriberConnection: StreamHandler {
    package func received(_ bytes: UnsafeRawBufferPointer) {
        for start in stride(from: 0, to: bytes.count, by: Self.pieceBytes) {
            let end = min(start + Self.pieceBytes, bytes.count)
            if let handler { webSocket.raise(messageBytesMax: handler.messageBytesMax) }
            webSocket.received(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), now: .now)
            var isMore = true
            while isMore { decide { isMore = $0.next(now: .now, into: &$1) } }
        }
    }

    package func writable() { outlet.writable() }

    package func inputEnded() { decide { $0.inputEnded(into: &$1) } }

    package func closed() {
        handler?.closed()
        handler = nil
        outlet.closed()
        loop.remove(self)
    }
}
