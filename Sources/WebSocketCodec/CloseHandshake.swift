/// The close handshake (RFC 6455 7.1): each side sends one close frame, the server closes the
/// connection.
package struct CloseHandshake: Sendable {
    package enum Action: Equatable, Sendable {
        case sendClose(code: UInt16?, reason: String)
        case closeConnection
    }

    private enum State {
        case open
        case awaitingClose(deadline: ContinuousClock.Instant)
        case closed
    }

    private var state = State.open
    private let timeout: Duration

    /// - Parameter timeout: How long the peer has to answer our close frame.
    package init(timeout: Duration = .seconds(5)) { self.timeout = timeout }

    /// Once false, no data frame may be sent any more.
    package var isOpen: Bool {
        switch state {
        case .open: true
        case .awaitingClose, .closed: false
        }
    }

    /// When `tick` has something to do.
    package var deadline: ContinuousClock.Instant? {
        switch state {
        case .awaitingClose(let deadline): deadline
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
        case .awaitingClose, .closed:
            break  // A second reason to close changes nothing.
        }
    }

    /// The peer's close frame came; an answer repeats its code (RFC 6455 5.5.1).
    package mutating func closeReceived(code: UInt16?, into actions: inout [Action]) {
        switch state {
        case .open:
            state = .closed
            actions.append(.sendClose(code: code, reason: ""))
            actions.append(.closeConnection)
        case .awaitingClose:
            state = .closed
            actions.append(.closeConnection)
        case .closed:
            break  // The connection is going already.
        }
    }

    /// The peer broke the protocol: say why and go, without waiting for an answer (RFC 6455 7.1.7).
    package mutating func failed(_ fault: WebSocketFault, into actions: inout [Action]) {
        switch state {
        case .open:
            state = .closed
            actions.append(.sendClose(code: fault.closeCode, reason: fault.reason))
            actions.append(.closeConnection)
        case .awaitingClose:
            state = .closed
            actions.append(.closeConnection)
        case .closed:
            break  // The connection is going already.
        }
    }

    package mutating func tick(now: ContinuousClock.Instant, into actions: inout [Action]) {
        switch state {
        case .awaitingClose(let deadline) where now >= deadline:
            state = .closed
            actions.append(.closeConnection)
        case .open, .awaitingClose, .closed:
            break
        }
    }
}
