internal import EventModel

/// Where a page of a topic begins, once the log has been asked.
struct PageStart: Sendable {
    /// Events behind this offset.
    var after: Offset
    /// What is missing behind `after` is told as a gap; from `earliest` nothing is missing.
    var tellsGap = true
    /// The cursor that was sent is not valid any more.
    var reset: Reset?

    struct Reset: Sendable {
        var fork: Offset
        var reason: ResetReason
    }

    /// A start that the topic's ends alone decide.
    ///
    /// - Throws: `invalid_start` for an offset beyond head + 1 (doc:CommonRules).
    init?(_ start: StartPosition, in position: TopicPosition) throws(BrokerError) {
        switch start {
        case .earliest: self.init(after: position.earliest - 1, tellsGap: false)
        case .latest: self.init(after: position.latest)
        case .last(let count):
            self.init(after: max(position.earliest - 1, position.latest - Offset(count)))
        case .offset(let offset):
            guard offset <= position.latest + 1 else {
                throw BrokerError(
                    .invalidStart,
                    "Offset \(offset) is beyond the head of \(position.topic), \(position.latest).",
                    remedy: "Start at \(position.latest + 1) or below, or at 'latest'.")
            }
            self.init(after: offset - 1)
        case .after, .time, .ago, .mark: return nil
        }
    }

    init(after: Offset, tellsGap: Bool = true, reset: Reset? = nil) {
        self.after = after
        self.tellsGap = tellsGap
        self.reset = reset
    }
}

extension StartPosition {
    /// The same in a topic that came into being since: nothing of it was before the question.
    var onceCreated: StartPosition {
        switch self {
        case .latest, .earliest, .last, .ago: .earliest
        case .offset, .after, .time, .mark: self
        }
    }
}
