import EventModel
import SessionProtocol
import Testing

/// A session whose inputs give back the actions they caused.
struct Session {
    var conversation: SessionConversation
    var now = start

    init(
        requiresAuth: Bool = false, identity: String? = nil, expires: Timestamp? = nil,
        limits: Limits = Limits(), publishesInFlightMax: Int = 1000, faultsPerMinuteMax: Int = 100,
        isBatched: Bool = false
    ) {
        var limits = limits
        limits.publishesInFlightMax = publishesInFlightMax
        limits.faultsPerMinuteMax = faultsPerMinuteMax
        conversation = SessionConversation(
            terms: terms(limits: limits), session: "s_1", identity: identity,
            expires: expires,
            requiresAuth: requiresAuth, isBatched: isBatched)
    }

    typealias Action = SessionConversation.Action

    mutating func actions(
        _ input: (inout SessionConversation, Moment, inout [Action]) -> Void
    ) -> [Action] {
        var actions: [Action] = []
        input(&conversation, now, &actions)
        return actions
    }

    mutating func begin() -> [Action] { actions { $0.start(now: $1, into: &$2) } }

    mutating func says(_ json: String) -> [Action] {
        actions { $0.messageReceived(utf8(json), now: $1, into: &$2) }
    }

    mutating func ticks(after duration: Duration) -> [Action] {
        now = now.advanced(by: duration)
        return actions { $0.tick(now: $1, into: &$2) }
    }

    /// The code, id and type of the one error that an answer is.
    mutating func isRefused(_ json: String) -> ErrorMessage? {
        let actions = says(json)
        guard actions.count == 1, case .send(.error(let message)) = actions[0] else {
            Issue.record("expected one error to \(json), got \(actions)")
            return nil
        }
        return message
    }

    /// Subscribes and has the broker agree.
    mutating func stands(_ json: String, id: Int64) {
        _ = says(json)
        _ = actions { $0.subscribed(.init(id: id, topics: []), now: $1, into: &$2) }
    }

    func welcome(expires: Timestamp? = nil, limits: Limits = Limits()) -> Action {
        .send(
            .welcome(
                .init(
                    session: "s_1", node: "n1", version: "1.0.0", time: now.time, expires: expires,
                    limits: limits)))
    }
}
