/// The close handshake (RFC 6455 7.1): each side sends one close frame, then the server closes the
/// connection, and the client only if the server does not.
package struct CloseHandshake: Sendable {
    package enum Action: Equatable, Sendable {
        case sendClose(code: UInt16?, reason: String)
        case closeConnection
    }

    private enum State {
        case open
        /// Our close frame is out, and the peer's has not come.
        case awaitingClose(deadline: ContinuousClock.Instant)
        /// A client has both, and leaves it to the server to close (RFC 6455 7.1.1).
        case awaitingEnd(deadline: ContinuousClock.Instant)
        case closed
    }

    private var state = State.open
    private let role: WebSocketRole
    private let timeout: Duration

    /// A handshake in which the peer has `timeout` to answer our close frame, and a server to close
    /// the connection.
    package init(role: WebSocketRole, timeout: Duration) {
        self.role = role
        self.timeout = timeout
    }

    /// Once false, no data frame may be sent any more.
    package var isOpen: Bool {
        switch state {
        case .open: true
        case .awaitingClose, .awaitingEnd, .closed: false
        }
    }

    /// Pings are answered until the peer's close frame has come (RFC 6455 5.5.2).
    package var answersPings: Bool {
        switch state {
        case .open, .awaitingClose: true
        case .awaitingEnd, .closed: false
        }
    }

    /// When `tick` has something to do.
    package var deadline: ContinuousClock.Instant? {
        switch state {
        case .awaitingClose(let deadline), .awaitingEnd(let deadline): deadline
        case .open, .closed: nil
        }
    }

    /// We want to close.
    package mutating func close(
        code: UInt16?, reason: String, now: ContinuousClock.Instant, into actions: inout [Action]
    ) {
        switch state {
        case .open:
            state = .awaitingClose(deadline: now + timeout)
            actions.append(.sendClose(code: code, reason: reason))
        case .awaitingClose, .awaitingEnd, .closed:
            break  // A second reason to close changes nothing.
        }
    }

    /// The peer's close frame came; an answer repeats its code (RFC 6455 5.5.1).
    package mutating func closeReceived(
        code: UInt16?, now: ContinuousClock.Instant, into actions: inout [Action]
    ) {
        switch state {
        case .open:
            actions.append(.sendClose(code: code, reason: ""))
            closesDone(deadline: now + timeout, into: &actions)
        case .awaitingClose(let deadline):
            closesDone(deadline: deadline, into: &actions)
        case .awaitingEnd, .closed:
            break  // The connection is going already.
        }
    }

    private mutating func closesDone(
        deadline: ContinuousClock.Instant, into actions: inout [Action]
    ) {
        switch role {
        case .server:
            state = .closed
            actions.append(.closeConnection)
        case .client:
            state = .awaitingEnd(deadline: deadline)
        }
    }

    /// The peer broke the protocol: say why and go, without waiting for an answer (RFC 6455 7.1.7).
    package mutating func failed(_ fault: WebSocketFault, into actions: inout [Action]) {
        if case .open = state {
            actions.append(.sendClose(code: fault.closeCode, reason: fault.reason))
        }
        inputEnded(into: &actions)
    }

    /// Nothing of the peer comes any more, or is read any more.
    package mutating func inputEnded(into actions: inout [Action]) {
        switch state {
        case .open, .awaitingClose, .awaitingEnd:
            state = .closed
            actions.append(.closeConnection)
        case .closed:
            break  // The connection is going already.
        }
    }

    /// The connection is over, or given up: nothing is left to do.
    package mutating func abandon() { state = .closed }

    package mutating func tick(now: ContinuousClock.Instant, into actions: inout [Action]) {
        guard let deadline, now >= deadline else { return }
        state = .closed
        actions.append(.closeConnection)
    }
}
