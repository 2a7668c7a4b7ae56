package import EventModel
package import PostgresBridge

/// What a part of the log has been through: whether it is up, since when, and why not.
///
/// It tells news from repetition, so that the broker's log has one line per change of state.
package struct PartHistory: Sendable {
    /// How long a question may go without an answer before the part is stuck.
    package static let patience = Duration.seconds(10)

    private let name: String
    private let isNeeded: Bool
    private var state = LogPart.State.connecting
    private var reason: LogPart.Reason? = .starting
    private var error: String?
    private var since: ContinuousClock.Instant
    /// When it was up last, or began.
    private var lostAt: ContinuousClock.Instant
    /// Of the question that is open.
    private var askedAt: ContinuousClock.Instant?

    package init(_ name: String, isNeeded: Bool, now: ContinuousClock.Instant) {
        self.name = name
        self.isNeeded = isNeeded
        since = now
        lostAt = now
    }

    /// A connection is of use.
    ///
    /// Returns for how long there was none; `nil` if it was up already.
    package mutating func wentUp(now: ContinuousClock.Instant) -> Duration? {
        askedAt = nil
        guard state != .up else { return nil }
        (state, reason, error, since) = (.up, nil, nil, now)
        return now - lostAt
    }

    /// There is no connection, or it is of no use.
    ///
    /// Returns the reason if it is another one than before.
    package mutating func lost(
        _ error: PostgresError, now: ContinuousClock.Instant
    ) -> LogPart.Reason? {
        askedAt = nil
        self.error = error.publicText
        let reason = LogPart.Reason(error)
        if state == .up { lostAt = now }
        guard state != .connecting || reason != self.reason else { return nil }
        // A part that only changes its reason has been away since it lost the first connection.
        if state == .up { since = now }
        (state, self.reason) = (.connecting, reason)
        return reason
    }

    /// A question went out over a connection that is of use.
    package mutating func asked(now: ContinuousClock.Instant) { askedAt = askedAt ?? now }

    /// Returns for how long it was stuck, if it was.
    package mutating func answered(now: ContinuousClock.Instant) -> Duration? {
        askedAt = nil
        guard state == .stuck else { return nil }
        return wentUp(now: now)
    }

    /// Time has passed; `true`: the part is stuck, and was not before.
    package mutating func looked(now: ContinuousClock.Instant) -> Bool {
        guard state == .up, let askedAt, now >= askedAt + Self.patience else { return false }
        (state, reason, since, lostAt) = (.stuck, .unanswered, askedAt, askedAt)
        return true
    }

    package func part(now: ContinuousClock.Instant) -> LogPart {
        LogPart(
            name: name, state: state, time: now - since, reason: reason, error: error,
            isNeeded: isNeeded)
    }
}

extension LogPart.Reason {
    /// What stands behind an error that ended a connection, or kept one from coming up.
    package init(_ error: PostgresError) {
        if error.kind == .timedOut {
            self = .unanswered
            return
        }
        switch error.sqlState {
        case "SL001": self = .incarnation
        case "SL002": self = .stalePrimary
        case "SL003", "25006": self = .noWritableServer
        case let state? where state.hasPrefix("57P"): self = .serverStarting
        case .some where error.kind == .query: self = .refused
        case nil where error.kind == .connectionLost: self = .connectionLost
        default: self.init(libpq: error)
        }
    }

    /// libpq tells of each host that it tried; one that can be mended counts more than one that is
    /// away.
    private init(libpq error: PostgresError) {
        let text = error.message
        if text.contains("session is read-only") || text.contains("server is in hot standby mode") {
            self = .noWritableServer
        } else if text.contains("the database system is") {
            self = .serverStarting
        } else if text.contains("FATAL:") || text.contains("the database lacks") {
            self = .refused
        } else {
            self = .unreachable
        }
    }
}

extension PostgresError {
    /// For whoever may ask whether the node is ready: hosts, users and databases stand in
    /// quotation marks and, addresses, in brackets; they are left out.
    package var publicText: String {
        var text = ""
        var isQuoted = false
        var depth = 0
        for character in message {
            switch character {
            case "\"":
                if depth == 0 { text += isQuoted ? "…\"" : "\"" }
                isQuoted.toggle()
            case "(" where !isQuoted: depth += 1
            case ")" where !isQuoted && depth > 0:
                depth -= 1
                if text.last == " " { text.removeLast() }
            case "\n", "\t": if !isQuoted, depth == 0 { text += " " }
            default: if !isQuoted, depth == 0 { text.append(character) }
            }
        }
        return String(text.prefix(500))
    }
}
