/// Finds dead peers, and lets slow ones live (doc:Session, liveness and "Slow is alive").
///
/// While something waits that the peer does not take, a ping would wait behind it, so none is sent:
/// then whoever takes any bytes is alive. Otherwise a ping is sent when nothing was heard for a
/// while, and the clock for its pong stands still whenever the socket is blocked. A ping that has
/// left may still lie behind what the peer's system has taken and the peer has not read; each ping
/// says how much was sent before it, so a pong tells how much was read, and the peer has time for
/// the rest.
package struct Keepalive: Sendable {
    package enum Action: Equatable, Sendable {
        case sendPing(payload: [UInt8])
        /// 4002 `no_pong`.
        case close(code: UInt16, reason: String)
    }

    /// How far the peer has come; the numbers count from the connection's beginning.
    package struct Progress: Sendable {
        package var sentBytes: UInt64
        /// In any unit that grows with what the peer's side has acknowledged.
        package var takenBytes: UInt64
        /// Something waits that is not taken now: of us, of the socket, or for the peer's window.
        package var isBlocked: Bool

        package init(sentBytes: UInt64, takenBytes: UInt64, isBlocked: Bool) {
            self.sentBytes = sentBytes
            self.takenBytes = takenBytes
            self.isBlocked = isBlocked
        }
    }

    private enum State {
        case heard(ContinuousClock.Instant)
        case awaitingPong(deadline: ContinuousClock.Instant)
        case ended
    }

    private var state: State
    private var lastTick: ContinuousClock.Instant
    /// The socket has been blocked, and the peer taken nothing, since then.
    private var stuckSince: ContinuousClock.Instant?
    private var takenBytes: UInt64 = 0
    /// What was sent before the last ping, and before the last one that was answered.
    private var pingedBytes: UInt64 = 0
    private var readBytes: UInt64 = 0
    private let pingInterval: Duration
    private let pongTimeout: Duration
    private let stuckTimeout: Duration

    /// Bytes of a ping's payload.
    package static let payloadBytes = MemoryLayout<UInt64>.size
    /// Bytes in a second that the slowest reader reads of what its system has taken already.
    private static let slowestRate: UInt64 = 1 << 10

    /// - Parameters:
    ///   - pingInterval: From the last that was heard to a ping.
    ///   - pongTimeout: From a ping to its pong, beside the time for what lies before it.
    ///   - stuckTimeout: How long a peer may take nothing while something waits for it.
    ///   - now: The connection has just been made.
    package init(
        pingInterval: Duration = .seconds(20), pongTimeout: Duration = .seconds(20),
        stuckTimeout: Duration = .seconds(300), now: ContinuousClock.Instant
    ) {
        self.pingInterval = pingInterval
        self.pongTimeout = pongTimeout
        self.stuckTimeout = stuckTimeout
        state = .heard(now)
        lastTick = now
    }

    /// Something waits, and the peer takes nothing of it.
    package var isStuck: Bool { stuckSince != nil }

    /// Bytes came from the peer; any of them show that it lives, not only a pong.
    package mutating func received(now: ContinuousClock.Instant) {
        switch state {
        case .heard, .awaitingPong:
            state = .heard(now)
            stuckSince = nil
        case .ended: break  // Too late: the close has been decided.
        }
    }

    /// The peer has read all that was sent before the ping of this payload.
    package mutating func pongReceived(payload: [UInt8]) {
        // A peer may send pongs of its own (RFC 6455 5.5.3); they tell nothing more.
        guard payload.count == Self.payloadBytes else { return }
        let position = payload.reduce(0) { $0 << 8 | UInt64($1) }
        readBytes = max(readBytes, min(position, pingedBytes))
    }

    /// To be called about once a second; looks at `progress` only when nothing was heard.
    package mutating func tick(
        now: ContinuousClock.Instant, progress: () -> Progress, into actions: inout [Action]
    ) {
        let elapsed = now - lastTick
        lastTick = now
        switch state {
        case .ended: return
        case .heard(let instant) where now < instant + pingInterval: return
        case .heard, .awaitingPong: break
        }
        let progress = progress()
        if progress.isBlocked {
            if case .awaitingPong(let deadline) = state {
                state = .awaitingPong(deadline: deadline + elapsed)
            }
            checkStuck(progress, now: now, into: &actions)
        } else {
            stuckSince = nil
            checkPong(progress, now: now, into: &actions)
        }
    }

    private mutating func checkStuck(
        _ progress: Progress, now: ContinuousClock.Instant, into actions: inout [Action]
    ) {
        let since = progress.takenBytes > takenBytes ? now : stuckSince ?? now
        takenBytes = progress.takenBytes
        stuckSince = since
        if now >= since + stuckTimeout { end(into: &actions) }
    }

    private mutating func checkPong(
        _ progress: Progress, now: ContinuousClock.Instant, into actions: inout [Action]
    ) {
        switch state {
        case .heard:
            let unread = Int64(clamping: progress.sentBytes - readBytes)
            let reading = Duration.seconds(unread) / Int(Self.slowestRate)
            state = .awaitingPong(deadline: now + pongTimeout + min(reading, stuckTimeout))
            pingedBytes = progress.sentBytes
            actions.append(.sendPing(payload: pingedBytes.bigEndianBytes))
        case .awaitingPong(let deadline):
            if now >= deadline { end(into: &actions) }
        case .ended: break  // A tick that ended it has returned.
        }
    }

    private mutating func end(into actions: inout [Action]) {
        state = .ended
        actions.append(.close(code: 4002, reason: "no_pong"))
    }
}

extension UInt64 {
    fileprivate var bigEndianBytes: [UInt8] {
        stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: self >> $0) }
    }
}
