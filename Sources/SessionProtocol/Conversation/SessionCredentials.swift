import EventModel

/// Who a session's client is, and until when (doc:Session): by the upgrade's credentials, or by
/// `auth`.
///
/// One token is checked at a time. The first decides whether the session opens, and what was sent
/// behind it waits for the outcome; later ones may extend the credentials of the same client.
struct SessionCredentials: Sendable {
    private enum State: Sendable {
        /// Known, or not needed.
        case settled
        case awaited(deadline: ContinuousClock.Instant)
        /// The first token is being checked; messages that came behind it wait.
        case firstChecked(id: Int64?, deadline: ContinuousClock.Instant, held: [[UInt8]])
        /// A token that came when the client was known is being checked.
        case renewalChecked(id: Int64?)
    }

    /// What a good token came to.
    enum Acceptance {
        /// The session may open; these messages came behind the token.
        case first(id: Int64?, held: [[UInt8]])
        case renewal(id: Int64?)
        /// It is good, but somebody else's.
        case refusedRenewal(id: Int64?)
    }

    private var state = State.settled
    private var identity: String?
    private let isRequired: Bool
    /// When they end; `nil`: never.
    private(set) var expires: Timestamp?
    /// The same on the monotonic clock, once the session was opened.
    private(set) var expiresAt: ContinuousClock.Instant?

    /// Messages, and their bytes, that wait while the token is checked: their sender is a stranger.
    private static let heldMessagesMax = 64
    private static let heldBytesMax = 64 << 10

    init(identity: String?, expires: Timestamp?, isRequired: Bool) {
        self.identity = identity
        self.expires = expires
        self.isRequired = isRequired && identity == nil
    }

    /// No session may open before a token was accepted.
    var areAwaited: Bool { deadline != nil }

    /// Until when a token has to be accepted; `nil` if none is awaited.
    var deadline: ContinuousClock.Instant? {
        switch state {
        case .awaited(let deadline), .firstChecked(_, let deadline, _): deadline
        case .settled, .renewalChecked: nil
        }
    }

    /// A token is being checked, and another one has to wait.
    var isChecking: Bool {
        switch state {
        case .firstChecked, .renewalChecked: true
        case .settled, .awaited: false
        }
    }

    /// The session begins; a token is awaited until the deadline, if one is needed.
    mutating func begin(deadline: ContinuousClock.Instant) {
        if isRequired { state = .awaited(deadline: deadline) }
    }

    /// The session opens: from now on it is known when they end.
    mutating func opened(now: Moment) { expiresAt = expires.map { now.instant(of: $0) } }

    /// A token came, with the id of its `auth`; the caller has it checked.
    mutating func check(id: Int64?) {
        precondition(!isChecking, "bug: two tokens are checked at a time")
        state =
            deadline.map { .firstChecked(id: id, deadline: $0, held: []) }
            ?? .renewalChecked(id: id)
    }

    /// Keeps a message that came behind the first token; `false`: there are too many.
    mutating func hold(_ message: [UInt8]) -> Bool {
        guard case .firstChecked(let id, let deadline, var held) = state else {
            preconditionFailure("bug: a message is held for no token")
        }
        let bytes = held.reduce(message.count) { $0 + $1.count }
        guard bytes <= Self.heldBytesMax, held.count < Self.heldMessagesMax else { return false }
        held.append(message)
        state = .firstChecked(id: id, deadline: deadline, held: held)
        return true
    }

    /// The token is good; `nil` if none is being checked any more.
    mutating func accept(
        _ identity: String, expires: Timestamp?, now: Moment
    ) -> Acceptance? {
        switch state {
        case .firstChecked(let id, _, let held):
            state = .settled
            self.identity = identity
            self.expires = expires
            return .first(id: id, held: held)
        case .renewalChecked(let id):
            state = .settled
            guard self.identity == nil || self.identity == identity else {
                return .refusedRenewal(id: id)
            }
            self.expires = expires
            opened(now: now)
            return .renewal(id: id)
        case .settled, .awaited:
            return nil  // Its request has been answered otherwise.
        }
    }

    /// The token is not good, or could not be checked; `nil` if none is being checked any more.
    ///
    /// - Returns: The id of its `auth`, and what came behind it.
    mutating func refuse() -> (id: Int64?, held: [[UInt8]])? {
        switch state {
        case .firstChecked(let id, let deadline, let held):
            state = .awaited(deadline: deadline)
            return (id, held)
        case .renewalChecked(let id):
            state = .settled
            return (id, [])
        case .settled, .awaited:
            return nil  // Its request has been answered otherwise.
        }
    }
}
