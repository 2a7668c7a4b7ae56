/// What one part of a node's log is about, for whoever has to mend it (doc:HTTP, "Health").
package struct LogPart: Hashable, Sendable {
    package enum State: String, Sendable {
        case up
        /// It has no connection of use, and tries to get one.
        case connecting
        /// It has one, and its question is not answered.
        case stuck
    }

    /// Why a part is not up; the remedy is the same for all of its cases.
    package enum Reason: String, CaseIterable, Sendable {
        /// Nothing was tried to its end yet.
        case starting
        case connectionLost = "connection_lost"
        case unreachable
        case serverStarting = "server_starting"
        case noWritableServer = "no_writable_server"
        case stalePrimary = "stale_primary"
        case incarnation
        case refused
        case unanswered
    }

    /// As the log's lines name it.
    package var name: String
    package var state: State
    /// For how long it has been so.
    package var time: Duration
    /// `nil` when it is up.
    package var reason: Reason?
    /// What PostgreSQL or libpq said last, without the names that it quoted.
    package var error: String?
    /// Whether publishing and subscribing need it.
    package var isNeeded: Bool

    package init(
        name: String, state: State, time: Duration, reason: Reason? = nil, error: String? = nil,
        isNeeded: Bool = true
    ) {
        self.name = name
        self.state = state
        self.time = time
        self.reason = reason
        self.error = error
        self.isNeeded = isNeeded
    }
}

extension LogPart.Reason {
    /// What is the matter, as the end of a sentence.
    package var text: String {
        switch self {
        case .starting: "the first connection is on its way"
        case .connectionLost: "the connection was lost"
        case .unreachable: "no server can be reached"
        case .serverStarting: "the server is starting or stopping"
        case .noWritableServer: "no server takes writes"
        case .stalePrimary: "the server that takes writes is an old primary"
        case .incarnation: "the log began another incarnation"
        case .refused: "the server refuses"
        case .unanswered: "the server does not answer"
        }
    }

    package var remedy: String {
        switch self {
        case .starting, .connectionLost, .incarnation: "Wait some seconds."
        case .unreachable:
            "See that PostgreSQL runs and that database_url names it; the broker goes on trying."
        case .serverStarting: "Wait for PostgreSQL's recovery; see its log if it takes long."
        case .noWritableServer:
            "Promote a standby, or end the primary's read-only mode; the broker finds it by itself."
        case .stalePrimary:
            "Stop the old primary, and see that database_url names the new one, too; where an older "
                + "backup was restored on purpose, start the brokers again."
        case .refused: "Mend what the error says: user, password, database or schema."
        case .unanswered:
            "See pg_stat_activity for what it waits for: a synchronous standby that is away, a "
                + "lock, or a disk."
        }
    }
}
