internal import Delivery
internal import EventModel
internal import FanOut
package import SessionProtocol
internal import Transport
internal import WebSocketCodec

/// One WebSocket of a subscriber: bytes to messages and back, liveness, and the close handshake.
///
/// What the messages mean is their handler's; what waits for the socket is the outlet's. Confined to
/// its loop.
package final class SubscriberConnection {
    package var place = 0
    let outlet: Outlet
    private let stream: StreamConnection
    private var receiver: WebSocketReceiver
    private var handshake = CloseHandshake()
    private var keepalive: Keepalive
    private var handler: (any MessageHandler)?

    init(_ stream: StreamConnection, loop: LoopDelivery) {
        self.stream = stream
        outlet = Outlet(stream, loop: loop, encoding: .frames)
        // Their handler raises it to what its client may say.
        receiver = WebSocketReceiver(role: .server, messageBytesMax: 0)
        keepalive = Keepalive(
            pingInterval: loop.limits.heartbeatInterval,
            pongTimeout: loop.limits.heartbeatInterval,
            stuckTimeout: loop.limits.stuckTimeout, now: .now)
        loop.add(self)
    }

    /// From now on, messages go to their handler.
    func begin(_ handler: any MessageHandler) { self.handler = handler }

    // MARK: For the handler

    var info: ConnectionInfo { stream.info }
    var loop: LoopDelivery { outlet.loop }

    /// Sends a message behind what waits already.
    func send(_ message: BrokerMessage) {
        guard handshake.isOpen else { return }
        outlet.send(WebSocketFrame.encode(text: message.encode()))
    }

    /// Ends the conversation: what waits of subscriptions is dropped, replies still go out, then
    /// the close frame.
    func close(_ code: UInt16, reason: String) {
        outlet.endSubscriptions()
        var actions: [CloseHandshake.Action] = []
        handshake.close(code: code, reason: reason, now: .now, into: &actions)
        perform(actions)
    }

    private func perform(_ actions: [CloseHandshake.Action]) {
        for action in actions {
            switch action {
            case .sendClose(let code, let reason):
                outlet.send(WebSocketFrame.encodeClose(code: code, reason: reason))
                outlet.flush()
            case .closeConnection: outlet.finish()
            }
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
        var beats: [Keepalive.Action] = []
        keepalive.tick(now: now, progress: progress, into: &beats)
        for beat in beats {
            switch beat {
            case .sendPing(let payload):
                outlet.send(WebSocketFrame.encode(opcode: .ping, payload: payload))
            // The peer is gone or stuck: a close handshake would wait for it again.
            case .close(let code, let reason):
                close(code, reason: reason)
                if stream.isBlocked { stream.abort() } else { stream.close() }
            }
        }
        var actions: [CloseHandshake.Action] = []
        handshake.tick(now: now, into: &actions)
        perform(actions)
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
        keepalive.received(now: .now)
        if let handler { receiver.raise(messageBytesMax: handler.messageBytesMax) }
        var events: [WebSocketEvent] = []
        receiver.receive(bytes, into: &events)
        for event in events { received(event) }
    }

    private func received(_ event: WebSocketEvent) {
        var actions: [CloseHandshake.Action] = []
        switch event {
        case .text(let bytes): if handshake.isOpen { handler?.received(text: bytes) }
        case .binary: if handshake.isOpen { handler?.receivedBinary() }
        case .ping(let payload):
            if handshake.isOpen {
                outlet.send(WebSocketFrame.encode(opcode: .pong, payload: payload))
            }
        case .pong(let payload): keepalive.pongReceived(payload: payload)
        case .close(let code, _):
            outlet.endSubscriptions()
            handshake.closeReceived(code: code, into: &actions)
        case .failed(let fault):
            outlet.endSubscriptions()
            handshake.failed(fault, into: &actions)
        }
        perform(actions)
    }

    package func writable() { outlet.writable() }

    package func inputEnded() {
        if !outlet.isFinishing { stream.close() }
    }

    package func closed() {
        handler?.closed()
        handler = nil
        outlet.closed()
        loop.remove(self)
    }
}
