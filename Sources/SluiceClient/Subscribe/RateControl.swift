internal import SessionProtocol
internal import Synchronization

/// The maximal rate of one subscription, which may change while its iterators are open.
final class RateControl: Sendable {
    private struct Session {
        weak let connection: SessionConnection?
    }

    private struct State {
        var maxRate: Int?
        /// In which the subscription stands.
        var sessions: [Session] = []
    }

    private let state: Mutex<State>

    init(_ maxRate: Int?) { state = Mutex(State(maxRate: maxRate)) }

    /// What the next subscribe says.
    var maxRate: Int? { state.withLock { $0.maxRate } }

    /// The subscription stands in another session, which was told a rate that may have changed
    /// since.
    func stands(in connection: SessionConnection, at maxRate: Int?) {
        state.withLock { state in
            state.sessions.removeAll { $0.connection == nil }
            state.sessions.append(Session(connection: connection))
            if state.maxRate != maxRate { Self.tell(state.maxRate, connection) }
        }
    }

    /// Changes it in all sessions, and for those to come.
    func set(_ maxRate: Int?) {
        state.withLock { state in
            state.maxRate = maxRate
            for session in state.sessions {
                session.connection.map { Self.tell(maxRate, $0) }
            }
        }
    }

    private static func tell(_ maxRate: Int?, _ connection: SessionConnection) {
        let changes = SubscriptionProgress.update(maxRate: maxRate)
        connection.send(changes.encode())
    }
}
