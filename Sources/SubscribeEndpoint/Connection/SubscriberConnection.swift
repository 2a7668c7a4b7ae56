internal import EventModel
internal import FanOut
internal import NIOCore
internal import SessionProtocol
internal import Transport
internal import WebSocketCodec

/// One WebSocket of a subscriber: bytes to messages and back, liveness, and the close handshake.
///
/// What the messages mean is the dialogue's; what waits for the socket is the subscriber's backlog. Confined to its loop.
package final class SubscriberConnection {
    /// Where it is in its loop's list.
    var place = 0
    let fanOut: LoopFanOut
    private let stream: StreamConnection
    private var receiver: WebSocketReceiver
    private var handshake = CloseHandshake()
    private var keepalive: Keepalive
    private var dialogue: (any Dialogue)?
    private var subscriber: Subscriber?
    /// Bytes handed to the socket.
    private var sentBytes: UInt64 = 0
    /// A message went out since the last tick.
    private var hasSent = false
    /// The client's messages are not read while too many answers wait.
    private var isHeldBack = false
    /// What waits is still flushed, until then; the close frame is the last of it.
    private var flushDeadline: ContinuousClock.Instant?
    private static let flushTimeout = Duration.seconds(5)
    /// Bytes of answers that may wait while the client's messages are read.
    private static let answerBytesMax = 64 << 10
    /// A ping's frame: no message, and browsers do not see it.
    private static let pingBytes = 2 + Keepalive.payloadBytes
    /// Bytes that may be moved in one flush; the rest waits for the next turn, so that one subscriber does not hold up a loop.
    private static let flushBytesMax = 1 << 20

    init(_ stream: StreamConnection, fanOut: LoopFanOut) {
        self.stream = stream
        self.fanOut = fanOut
        // The dialogue raises it to what its client may say.
        receiver = WebSocketReceiver(role: .server, messageBytesMax: 0)
        keepalive = Keepalive(
            pingInterval: fanOut.limits.heartbeatInterval,
            pongTimeout: fanOut.limits.heartbeatInterval,
            stuckTimeout: fanOut.limits.stuckTimeout, now: .now)
        fanOut.add(self)
        subscriber = Subscriber(
            output: self, shard: fanOut.shard, limits: fanOut.limits, encode: Self.encode)
    }

    private static func encode(_ notice: Notice) -> EncodedMessage {
        let message: BrokerMessage =
            switch notice {
            case .lagging(let id, let behind): .lagging(id: id, behind: behind)
            case .live(let id): .live(id: id)
            case .gap(let topic, let epoch, let from, let to, let reason):
                .gap(.init(topic: topic, epoch: epoch, from: from, to: to, reason: reason))
            case .reset(let topic, let cursor, let reason):
                .reset(.init(topic: topic, cursor: cursor, reason: reason))
            }
        return EncodedMessage(frame: WebSocketFrame.encode(text: message.encode()))
    }

    /// From now on, messages are the dialogue's.
    func begin(_ dialogue: any Dialogue) { self.dialogue = dialogue }

    // MARK: For the dialogue

    var info: ConnectionInfo { stream.info }

    /// Sends a message behind what waits already.
    func send(_ message: BrokerMessage) {
        guard handshake.isOpen else { return }
        sendControl(WebSocketFrame.encode(text: message.encode()))
    }

    /// A new subscription of this connection, not yet known to the shard.
    func makeSubscription(id: Int64?, patterns: [TopicPattern]) -> Subscription? {
        subscriber.map { Subscription(id: id, patterns: patterns, subscriber: $0) }
    }

    func subscription(id: Int64) -> Subscription? {
        subscriber?.subscriptions.first { $0.id == id }
    }

    /// Whether it is still a subscription of this connection.
    func has(_ subscription: Subscription) -> Bool {
        subscriber?.subscriptions.contains { $0 === subscription } ?? false
    }

    /// Ends the conversation: what waits of subscriptions is dropped, replies still go out, then the close frame.
    func close(_ code: UInt16, reason: String) {
        endSubscriptions()
        var actions: [CloseHandshake.Action] = []
        handshake.close(code: code, reason: reason, now: .now, into: &actions)
        perform(actions)
    }

    private func endSubscriptions() {
        for subscription in subscriber?.subscriptions ?? [] { fanOut.shard.remove(subscription) }
    }

    var backlogBytes: Int { subscriber?.backlog.byteCount ?? 0 }

    // MARK: From the loop's clock

    func tick(now: ContinuousClock.Instant) {
        if let flushDeadline, now >= flushDeadline { stream.abort() }
        if hasSent {
            hasSent = false
            dialogue?.sent(now: now)
        }
        dialogue?.tick(now: now)
        var beats: [Keepalive.Action] = []
        keepalive.tick(now: now, progress: progress, into: &beats)
        for beat in beats {
            switch beat {
            case .sendPing(let payload):
                sendControl(WebSocketFrame.encode(opcode: .ping, payload: payload))
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
        return Keepalive.Progress(
            sentBytes: sentBytes, takenBytes: socket?.acknowledgedBytes ?? sentBytes,
            isBlocked: stream.isBlocked || backlogBytes > 0 || (socket?.unsentBytes ?? 0) > 0)
    }

    /// The token on which the connection stands, if it stands on one.
    var tokenID: String? { dialogue?.tokenID }

    func end(_ code: CloseCode) { dialogue?.end(code) }

    func drain(reconnectAfter: Duration) { dialogue?.drain(reconnectAfter: reconnectAfter) }

    // MARK: Output

    private func sendControl(_ frame: [UInt8]) {
        guard let subscriber else { return }
        subscriber.sendControl(EncodedMessage(frame: frame))
        // The client asks and does not read the answers: what it costs is bounded, too.
        if !isHeldBack, stream.isOpen,
            subscriber.backlog.controlByteCount > Self.answerBytesMax
        {
            holdBack(true)
        }
    }

    private func holdBack(_ isHeldBack: Bool) {
        self.isHeldBack = isHeldBack
        stream.setReading(!isHeldBack)
    }

    private func perform(_ actions: [CloseHandshake.Action]) {
        for action in actions {
            switch action {
            case .sendClose(let code, let reason):
                sendControl(WebSocketFrame.encodeClose(code: code, reason: reason))
                flush()
            case .closeConnection:
                if subscriber?.backlog.isEmpty ?? true {
                    stream.close()
                } else {
                    flushDeadline = .now + Self.flushTimeout
                }
            }
        }
    }
}

@available(*, unavailable) extension SubscriberConnection: Sendable {}

extension SubscriberConnection: SubscriberOutput {
    /// Moves the backlog into TLS records, one write each, until the socket takes no more.
    package func flush() {
        guard let subscriber, stream.isOpen else { return }
        defer { flushed(subscriber) }
        var moved = 0
        while !stream.isBlocked, moved < Self.flushBytesMax {
            let count = subscriber.backlog.fill(fanOut.record)
            if count > 0 {
                stream.send(UnsafeRawBufferPointer(rebasing: fanOut.record[..<count]))
                if count > Self.pingBytes { hasSent = true }
                sentBytes += UInt64(count)
                moved += count
                if subscriber.backlog.isEmpty, !subscriber.isReplaying { return }
            } else {
                subscriber.refill()
                if subscriber.backlog.isEmpty { return }
            }
        }
        if moved >= Self.flushBytesMax { fanOut.flushLater(subscriber) }
    }

    private func flushed(_ subscriber: Subscriber) {
        if isHeldBack, subscriber.backlog.controlByteCount <= Self.answerBytesMax {
            holdBack(false)
        }
        if flushDeadline != nil, subscriber.backlog.isEmpty { stream.close() }
    }
}

extension SubscriberConnection: StreamHandler {
    package func received(_ bytes: UnsafeRawBufferPointer) {
        keepalive.received(now: .now)
        if let dialogue { receiver.raise(messageBytesMax: dialogue.messageBytesMax) }
        var events: [WebSocketEvent] = []
        receiver.receive(bytes, into: &events)
        for event in events { received(event) }
    }

    private func received(_ event: WebSocketEvent) {
        var actions: [CloseHandshake.Action] = []
        switch event {
        case .text(let bytes): if handshake.isOpen { dialogue?.received(text: bytes) }
        case .binary: if handshake.isOpen { dialogue?.receivedBinary() }
        case .ping(let payload):
            if handshake.isOpen {
                sendControl(WebSocketFrame.encode(opcode: .pong, payload: payload))
            }
        case .pong(let payload): keepalive.pongReceived(payload: payload)
        case .close(let code, _):
            endSubscriptions()
            handshake.closeReceived(code: code, into: &actions)
        case .failed(let fault):
            endSubscriptions()
            handshake.failed(fault, into: &actions)
        }
        perform(actions)
    }

    package func writable() { flush() }

    package func inputEnded() {
        if flushDeadline == nil { stream.close() }
    }

    package func closed() {
        dialogue?.closed()
        dialogue = nil
        if let subscriber { fanOut.shard.remove(subscriber) }
        subscriber = nil
        fanOut.remove(self)
    }
}
