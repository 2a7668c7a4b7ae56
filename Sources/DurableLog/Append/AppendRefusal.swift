internal import EventModel
internal import PostgresBridge

/// What to do about an append that PostgreSQL refused, by SQLSTATE.
///
/// The statement was rolled back.
enum AppendRefusal {
    /// Somebody holds the lock of a topic for longer than `lock_timeout`.
    case locked
    /// The number was decided by somebody else: ask with `again`.
    case decided
    /// It was given up, so it is not in the log and never will be.
    case givenUp
    /// The same may succeed at once.
    case transient
    /// The server lacks something that all requests need.
    case exhausted
    /// Something in one of the requests.
    case guilty

    init(_ error: PostgresError) {
        switch error.sqlState {
        case "55P03": self = .locked
        case "23505": self = .decided
        case "SL004": self = .givenUp
        case "40001", "40P01": self = .transient
        case "57014", "SL005": self = .exhausted
        case let state? where state.hasPrefix("53") || state.hasPrefix("58"): self = .exhausted
        default: self = .guilty
        }
    }

    /// The answer to the request that PostgreSQL refuses although it was checked.
    static func answer(to error: PostgresError) -> BrokerError {
        let isInput = ["22P02", "22P05", "22021", "54000", "54001"].contains(error.sqlState)
        var answer =
            isInput
            ? BrokerError(.invalidJSON, "The database refuses an event: \(error.message).")
            : BrokerError(.internal, "The database refuses the append: \(error.message).")
        answer.committed = .no
        return answer
    }
}
