/// Finds dead peers: a ping when nothing was heard for a while, an end when nothing follows it
/// (PROTOCOL 2, liveness).
package struct Keepalive: Sendable {
    package enum Action: Equatable, Sendable {
        case sendPing
        /// 4002 `no_pong`.
        case close(code: UInt16, reason: String)
    }

    private enum State {
        case heard(ContinuousClock.Instant)
        case awaitingPong(deadline: ContinuousClock.Instant)
        case ended
    }

    private var state: State
    private let pingInterval: Duration
    private let pongTimeout: Duration

    package init(
        pingInterval: Duration = .seconds(20), pongTimeout: Duration = .seconds(20),
        now: ContinuousClock.Instant
    ) {
        self.pingInterval = pingInterval
        self.pongTimeout = pongTimeout
        state = .heard(now)
    }

    /// When `tick` has something to do.
    package var deadline: ContinuousClock.Instant? {
        switch state {
        case .heard(let instant): instant + pingInterval
        case .awaitingPong(let deadline): deadline
        case .ended: nil
        }
    }

    /// Bytes came from the peer; any of them show that it lives, not only a pong.
    package mutating func received(now: ContinuousClock.Instant) {
        switch state {
        case .heard, .awaitingPong: state = .heard(now)
        case .ended: break  // Too late: the close has been decided.
        }
    }

    package mutating func tick(now: ContinuousClock.Instant, into actions: inout [Action]) {
        switch state {
        case .heard(let instant) where now >= instant + pingInterval:
            state = .awaitingPong(deadline: now + pongTimeout)
            actions.append(.sendPing)
        case .awaitingPong(let deadline) where now >= deadline:
            state = .ended
            actions.append(.close(code: 4002, reason: "no_pong"))
        case .heard, .awaitingPong, .ended:
            break
        }
    }
}
