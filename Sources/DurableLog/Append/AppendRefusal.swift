internal import EventModel
internal import PostgresBridge

/// What to do about an append that PostgreSQL refused, by SQLSTATE.
///
/// The statement was rolled back.
enum AppendRefusal {
    /// Nothing but a new connection helps; there the same may succeed.
    case disconnected
    /// Somebody holds the lock of a topic for longer than a batch waits.
    case locked
    /// The number was decided by somebody else.
    case decided
    /// The same may succeed at once.
    case transient
    /// The server lacks something that all requests need.
    case exhausted
    /// Something in one of the requests.
    case guilty

    init(_ error: PostgresError) {
        switch error.sqlState {
        case _ where error.needsNewConnection: self = .disconnected
        case "55P03": self = .locked
        case "23505": self = .decided
        case "40001", "40P01": self = .transient
        case "57014", "SL005": self = .exhausted
        case let state? where state.hasPrefix("53") || state.hasPrefix("58"): self = .exhausted
        default: self = .guilty
        }
    }

    /// The answer to the request that PostgreSQL refuses although it was checked.
    static func answer(to error: PostgresError) -> BrokerError {
        let isInput = ["22P02", "22P05", "22021", "54000", "54001"].contains(error.sqlState)
        return isInput
            ? BrokerError(.invalidJSON, "The database refuses an event: \(error.message).")
            : BrokerError(.internal, "The database refuses the append: \(error.message).")
    }

    /// Why a part is too large for a topic whose events have so many bytes at the most; `nil` if
    /// it is not.
    static func refusal(of part: AppendRequest.Part, over most: Int) -> BrokerError? {
        guard let event = part.events.first(where: { $0.byteCount > most }) else { return nil }
        return BrokerError(
            .eventTooLarge,
            "The event has \(event.byteCount) bytes, over \(most) of topic \(part.topic).",
            remedy: "Send less, or raise event_bytes of the topic.")
    }

    static func notFound(_ name: TopicName) -> BrokerError {
        BrokerError(.topicNotFound, "There is no topic \(quoted(name.text)).")
    }

    static func locked(_ name: TopicName) -> BrokerError {
        LogContext.unavailable("Topic \(name) is locked by another transaction.")
    }

    static var outcomeUnknown: BrokerError {
        var error = BrokerError(
            .outcomeUnknown, "The database has not said in time whether the events are in the log.")
        error.committed = .unknown
        return error
    }
}

extension PostgresError {
    /// Whether this leaves open if the statement was committed.
    ///
    /// A lost connection does, and so does what a pooler says when it lost the server's (classes 08
    /// and 57P; 40003 by definition).
    var leavesOutcomeUnknown: Bool {
        guard kind == .query, let sqlState else { return true }
        return sqlState.hasPrefix("08") || sqlState.hasPrefix("57P") || sqlState == "40003"
    }
}
