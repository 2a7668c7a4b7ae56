/// One side of a WebSocket once the upgrade is done: what the peer's bytes mean, what is answered,
/// and how it ends (RFC 6455).
///
/// A server finds dead peers with pings, a client by their silence. Frames that are the same for
/// many connections, like a server's events, need not be made here; whoever makes them stops at
/// `ended`.
package struct WebSocketConnection {
    package enum Action: Equatable {
        /// A whole text message; its bytes are UTF-8.
        case text([UInt8])
        case binary([UInt8])
        /// Send a whole frame, behind what was sent before.
        case send([UInt8])
        /// From now on, nothing is taken and no message is sent; said once.
        case ended(End)
        /// Close the connection behind what was sent.
        case closeConnection
        /// Close the connection at once.
        case abortConnection
    }

    /// What ended a conversation.
    package enum End: Equatable {
        /// Our close frame.
        case closed(code: UInt16?, reason: String)
        /// The peer's close frame.
        case closedByPeer(code: UInt16?, reason: String)
        /// The peer broke the protocol.
        case failed(WebSocketFault)
        /// The peer said that it sends nothing more, without a close frame.
        case inputEnded
        /// The connection broke.
        case lost
        /// The peer gave no sign of life for too long.
        case silent
    }

    private var receiver: WebSocketReceiver
    private var handshake: CloseHandshake
    /// A server's; `nil` in a client.
    private var keepalive: Keepalive?
    /// A client's; `nil` in a server.
    private var silence: SilenceWatch?
    /// A client's; `nil` in a server, whose frames are not masked (RFC 6455 5.1).
    private var maskingKeys: (any RandomNumberGenerator)?
    /// `nil` if messages go as they are.
    private let compression: MessageCompression?
    /// What was read, and how many of it `next` has decided.
    private var arrived: [WebSocketEvent] = []
    private var decidedCount = 0

    private init(
        _ role: WebSocketRole, messageBytesMax: Int, closeTimeout: Duration,
        compression: MessageCompression?
    ) {
        receiver = WebSocketReceiver(
            role: role, messageBytesMax: messageBytesMax, inflater: compression?.inflater)
        handshake = CloseHandshake(role: role, timeout: closeTimeout)
        self.compression = compression
    }

    /// A server's side, which takes messages of up to `messageBytesMax` bytes; the client has
    /// `closeTimeout` to answer a close frame.
    ///
    /// `compression` is what was agreed on in the handshake.
    package static func server(
        messageBytesMax: Int, keepalive: Keepalive, closeTimeout: Duration,
        compression: MessageCompression? = nil
    ) -> WebSocketConnection {
        var connection = WebSocketConnection(
            .server, messageBytesMax: messageBytesMax, closeTimeout: closeTimeout,
            compression: compression)
        connection.keepalive = keepalive
        return connection
    }

    /// A client's side, which takes messages of up to `messageBytesMax` bytes, and gives the server
    /// 5 s to close.
    ///
    /// `maskingKeys` can't be foreseen by whoever chooses what is sent (RFC 6455 5.3, 10.3).
    package static func client(
        messageBytesMax: Int, silence: SilenceWatch, maskingKeys: any RandomNumberGenerator,
        compression: MessageCompression? = nil
    ) -> WebSocketConnection {
        var connection = WebSocketConnection(
            .client, messageBytesMax: messageBytesMax, closeTimeout: .seconds(5),
            compression: compression)
        connection.silence = silence
        connection.maskingKeys = maskingKeys
        return connection
    }

    /// Messages are taken and sent; false from `ended` on.
    package var isOpen: Bool { handshake.isOpen }

    /// When `tick` has something to do; a server's keepalive wants it about once a second, too.
    package var deadline: ContinuousClock.Instant? {
        isOpen ? silence?.deadline : handshake.deadline
    }

    // MARK: The peer's bytes

    /// Takes messages of up to so many bytes from now on, unless longer ones were taken already.
    package mutating func raise(messageBytesMax: Int) {
        receiver.raise(messageBytesMax: messageBytesMax)
    }

    /// Bytes came from the peer; `next` tells what they lead to.
    ///
    /// `bytes` are borrowed for the call, as in `WebSocketReceiver.receive`.
    package mutating func received(_ bytes: UnsafeRawBufferPointer, now: ContinuousClock.Instant) {
        keepalive?.received(now: now)
        silence?.received(now: now)
        receiver.receive(bytes, into: &arrived)
    }

    /// Decides about the next message or control frame that was received.
    ///
    /// One at a time, because what a message leads to may close the connection before the next, or
    /// has to be sent before a close is answered.
    /// - Returns: False if nothing is left.
    package mutating func next(
        now: ContinuousClock.Instant, into actions: inout [Action]
    ) -> Bool {
        guard decidedCount < arrived.count else {
            arrived = []
            decidedCount = 0
            return false
        }
        let event = arrived[decidedCount]
        decidedCount += 1
        switch event {
        case .text(let bytes): if isOpen { actions.append(.text(bytes)) }
        case .binary(let bytes): if isOpen { actions.append(.binary(bytes)) }
        case .ping(let payload):
            if handshake.answersPings { send(.pong, payload, into: &actions) }
        case .pong(let payload): keepalive?.pongReceived(payload: payload)
        case .close(let code, let reason):
            passOn(.closedByPeer(code: code, reason: reason), into: &actions) {
                $0.closeReceived(code: code, now: now, into: &$1)
            }
        case .failed(let fault):
            passOn(.failed(fault), into: &actions) { $0.failed(fault, into: &$1) }
        }
        return true
    }

    /// The peer sends nothing more.
    package mutating func inputEnded(into actions: inout [Action]) {
        passOn(.inputEnded, into: &actions) { $0.inputEnded(into: &$1) }
    }

    /// The connection is over; nothing can be sent any more.
    package mutating func connectionLost(into actions: inout [Action]) {
        passOn(.lost, into: &actions) { handshake, _ in handshake.abandon() }
    }

    // MARK: Sending

    /// Sends a text message; without effect once the conversation has ended.
    package mutating func send(text: [UInt8], into actions: inout [Action]) {
        send(message: .text, text, into: &actions)
    }

    /// Sends a binary message; without effect once the conversation has ended.
    package mutating func send(binary: [UInt8], into actions: inout [Action]) {
        send(message: .binary, binary, into: &actions)
    }

    /// Ends the conversation and waits for the peer's close frame, for the close timeout.
    package mutating func close(
        code: UInt16?, reason: String, now: ContinuousClock.Instant, into actions: inout [Action]
    ) {
        passOn(.closed(code: code, reason: reason), into: &actions) {
            $0.close(code: code, reason: reason, now: now, into: &$1)
        }
    }

    private mutating func send(
        message opcode: WebSocketOpcode, _ message: [UInt8], into actions: inout [Action]
    ) {
        guard isOpen else { return }
        guard let compression else { return send(opcode, message, into: &actions) }
        let (payload, isCompressed) = compression.payload(of: message)
        send(opcode, payload, isCompressed: isCompressed, into: &actions)
    }

    private mutating func send(
        _ opcode: WebSocketOpcode, _ payload: [UInt8], isCompressed: Bool = false,
        into actions: inout [Action]
    ) {
        guard let key = maskingKeys?.next() else {
            let frame = WebSocketFrame.encode(
                opcode: opcode, payload: payload, isCompressed: isCompressed)
            return actions.append(.send(frame))
        }
        let frame = WebSocketFrame.encodeMasked(
            opcode: opcode, payload: payload, maskingKey: UInt32(truncatingIfNeeded: key),
            isCompressed: isCompressed)
        actions.append(.send(frame))
    }

    // MARK: Time

    /// Checks whether the peer lives, and whether it closes in time.
    ///
    /// `progress` is how far the peer has come; only a keepalive looks at it, and seldom.
    package mutating func tick(
        now: ContinuousClock.Instant,
        progress: () -> Keepalive.Progress = {
            .init(sentBytes: 0, takenBytes: 0, isBlocked: false)
        },
        into actions: inout [Action]
    ) {
        guard isOpen else {
            return passOn(nil, into: &actions) { $0.tick(now: now, into: &$1) }
        }
        var beats: [Keepalive.Action] = []
        keepalive?.tick(now: now, progress: progress, into: &beats)
        for beat in beats {
            switch beat {
            case .sendPing(let payload): send(.ping, payload, into: &actions)
            case .close(let code, let reason): giveUp(code, reason, into: &actions)
            }
        }
        if let deadline = silence?.deadline, now >= deadline {
            handshake.abandon()
            actions.append(.ended(.silent))
            actions.append(.abortConnection)
        }
    }

    /// The peer is gone or stuck: a close handshake would wait for it again.
    private mutating func giveUp(_ code: UInt16, _ reason: String, into actions: inout [Action]) {
        handshake.abandon()
        actions.append(.ended(.silent))
        send(.close, WebSocketFrame.closePayload(code: code, reason: reason), into: &actions)
        let isStuck = keepalive?.isStuck ?? false
        actions.append(isStuck ? .abortConnection : .closeConnection)
    }

    /// How long the server may be silent from now on; a client's.
    package mutating func watch(silenceMax: Duration) { silence?.silenceMax = silenceMax }

    /// The client's own consumer keeps it from reading: silence does not count.
    package mutating func paused() { silence?.paused() }

    /// The client reads again.
    package mutating func resumed(now: ContinuousClock.Instant) { silence?.resumed(now: now) }

    /// Passes something on to the close handshake; `end` is what it means for a conversation that
    /// is still open.
    private mutating func passOn(
        _ end: End?, into actions: inout [Action],
        _ input: (inout CloseHandshake, inout [CloseHandshake.Action]) -> Void
    ) {
        if isOpen, let end { actions.append(.ended(end)) }
        var steps: [CloseHandshake.Action] = []
        input(&handshake, &steps)
        for step in steps {
            switch step {
            case .sendClose(let code, let reason):
                let payload = WebSocketFrame.closePayload(code: code, reason: reason)
                send(.close, payload, into: &actions)
            case .closeConnection: actions.append(.closeConnection)
            }
        }
    }
}
