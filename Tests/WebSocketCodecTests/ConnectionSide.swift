import WebSocketCodec

/// One side of a WebSocket in a test: its machine, and what that has decided.
struct ConnectionSide {
    typealias Action = WebSocketConnection.Action

    static let start = ContinuousClock.now
    /// What a client masks with.
    static let key: UInt32 = 0x37fa_213d

    private struct FixedKeys: RandomNumberGenerator {
        mutating func next() -> UInt64 { UInt64(ConnectionSide.key) }
    }

    var connection: WebSocketConnection
    let role: WebSocketRole

    init(
        _ role: WebSocketRole, messageBytesMax: Int = 100, compression: MessageCompression? = nil
    ) {
        self.role = role
        switch role {
        case .server:
            let keepalive = Keepalive(
                pingInterval: .seconds(20), pongTimeout: .seconds(10), stuckTimeout: .seconds(100),
                now: Self.start)
            connection = .server(
                messageBytesMax: messageBytesMax, keepalive: keepalive,
                closeTimeout: .seconds(5), compression: compression)
        case .client:
            connection = .client(
                messageBytesMax: messageBytesMax,
                silence: SilenceWatch(silenceMax: .seconds(40), now: Self.start),
                maskingKeys: FixedKeys(), compression: compression)
        }
    }

    // MARK: Inputs

    /// What frames of the peer lead to, all in one read.
    mutating func receives(_ frames: [UInt8]..., at second: Int = 0) -> [Action] {
        arrive(frames.flatMap { $0 }, at: second)
        var actions: [Action] = []
        while let next = next(at: second) { actions += next }
        return actions
    }

    mutating func arrive(_ bytes: [UInt8], at second: Int = 0) {
        // Safe: `received` does not keep the pointer beyond the call.
        bytes.withUnsafeBytes { connection.received($0, now: Self.start + .seconds(second)) }
    }

    /// What the next message or control frame leads to; `nil` if none is left.
    mutating func next(at second: Int = 0) -> [Action]? {
        var actions: [Action] = []
        let now = Self.start + .seconds(second)
        return connection.next(now: now, into: &actions) ? actions : nil
    }

    mutating func sends(_ text: String) -> [Action] {
        decide { $0.send(text: Array(text.utf8), into: &$1) }
    }

    mutating func sends(binary: [UInt8]) -> [Action] {
        decide { $0.send(binary: binary, into: &$1) }
    }

    mutating func closes(_ code: UInt16, _ reason: String = "", at second: Int = 0) -> [Action] {
        decide {
            $0.close(code: code, reason: reason, now: Self.start + .seconds(second), into: &$1)
        }
    }

    /// The peer sends nothing more.
    mutating func inputEnds() -> [Action] { decide { $0.inputEnded(into: &$1) } }

    /// The connection is over.
    mutating func breaks() -> [Action] { decide { $0.connectionLost(into: &$1) } }

    /// What ticks at these seconds lead to.
    mutating func ticks(
        _ seconds: Int...,
        progress: Keepalive.Progress = .init(sentBytes: 0, takenBytes: 0, isBlocked: false)
    ) -> [Action] {
        decide { connection, actions in
            for second in seconds {
                connection.tick(
                    now: Self.start + .seconds(second), progress: { progress }, into: &actions)
            }
        }
    }

    private mutating func decide(_ input: (inout WebSocketConnection, inout [Action]) -> Void)
        -> [Action]
    {
        var actions: [Action] = []
        input(&connection, &actions)
        return actions
    }

    // MARK: Frames

    /// A frame of this side.
    func own(_ opcode: WebSocketOpcode, _ payload: [UInt8] = []) -> [UInt8] {
        Self.frame(opcode, payload, isMasked: role == .client)
    }

    func own(_ opcode: WebSocketOpcode, _ text: String) -> [UInt8] { own(opcode, Array(text.utf8)) }

    func ownClose(_ code: UInt16, _ reason: String = "") -> [UInt8] {
        own(.close, WebSocketFrame.closePayload(code: code, reason: reason))
    }

    /// A frame of the peer.
    func peer(_ opcode: WebSocketOpcode, _ payload: [UInt8] = []) -> [UInt8] {
        Self.frame(opcode, payload, isMasked: role == .server)
    }

    func peer(_ opcode: WebSocketOpcode, _ text: String) -> [UInt8] {
        peer(opcode, Array(text.utf8))
    }

    func peerClose(_ code: UInt16, _ reason: String = "") -> [UInt8] {
        peer(.close, WebSocketFrame.closePayload(code: code, reason: reason))
    }

    private static func frame(
        _ opcode: WebSocketOpcode, _ payload: [UInt8], isMasked: Bool
    ) -> [UInt8] {
        isMasked
            ? WebSocketFrame.encodeMasked(opcode: opcode, payload: payload, maskingKey: key)
            : WebSocketFrame.encode(opcode: opcode, payload: payload)
    }
}
