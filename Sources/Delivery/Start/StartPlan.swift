internal import EventModel

/// Where a subscription begins in each of its topics, as far as this node knows it, and what the
/// log has to be asked.
///
/// A cursor at or below the head that the node knows, of the same epoch, needs no question
/// (doc:Subscriptions). Before any reset or out-of-range error the database is asked, because the
/// node itself may be behind the one the client came from.
struct StartPlan: Equatable {
    /// The last offset consumed, per topic.
    private(set) var cursors: [TopicName: Offset] = [:]
    /// Cursors of another epoch or beyond the head.
    private(set) var toResume: [TopicName: Cursor] = [:]
    /// Topics that begin at a time, or as of a mark.
    private(set) var toSearch: [TopicName] = []
    /// An offset beyond the known head, of the one topic that the subscription has.
    private(set) var toCheck: (topic: TopicName, offset: Offset)?

    /// - Parameters:
    ///   - positions: Both ends of each existing topic, as known on this loop.
    ///   - from: Where topics begin that have no cursor.
    ///   - cursors: What the client consumed last; wins over `from`.
    init(positions: [TopicPosition], from: StartPosition, cursors: [TopicName: Cursor]) {
        for position in positions {
            if let cursor = cursors[position.topic] {
                begin(position, after: cursor)
            } else if position.isEphemeral {
                begin(ephemeral: position, at: from)
            } else {
                begin(position, at: from)
            }
        }
    }

    private mutating func begin(_ position: TopicPosition, after cursor: Cursor) {
        if cursor.epoch == position.epoch, cursor.offset <= position.latest {
            cursors[position.topic] = cursor.offset
        } else {
            toResume[position.topic] = cursor
        }
    }

    /// There is no log to start in, so it is the head; but what came behind a cursor, or behind a
    /// moment when the topic did not exist, is told as a gap.
    private mutating func begin(ephemeral position: TopicPosition, at start: StartPosition) {
        switch start {
        case .after(let cursor): begin(position, after: cursor)
        case .offset(let offset): cursors[position.topic] = min(offset - 1, position.latest)
        case .latest, .earliest, .last, .time, .ago, .mark:
            cursors[position.topic] = position.latest
        }
    }

    private mutating func begin(_ position: TopicPosition, at start: StartPosition) {
        switch start {
        case .latest: cursors[position.topic] = position.latest
        case .earliest: cursors[position.topic] = position.earliest - 1
        case .last(let count):
            cursors[position.topic] = max(position.latest - Offset(count), position.earliest - 1)
        case .offset(let offset) where offset <= position.latest + 1:
            cursors[position.topic] = offset - 1
        case .offset(let offset): toCheck = (position.topic, offset)
        case .after(let cursor): begin(position, after: cursor)
        case .time, .ago, .mark: toSearch.append(position.topic)
        }
    }

    static func == (left: StartPlan, right: StartPlan) -> Bool {
        left.cursors == right.cursors && left.toResume == right.toResume
            && left.toSearch == right.toSearch && left.toCheck?.topic == right.toCheck?.topic
            && left.toCheck?.offset == right.toCheck?.offset
    }
}

extension StartPosition {
    /// The time that the start names, if it names one.
    func time(now: Timestamp) -> Timestamp? {
        switch self {
        case .time(let time): time
        case .ago(let duration): now.advanced(by: .zero - duration)
        case .latest, .earliest, .last, .offset, .after, .mark: nil
        }
    }

    /// The last offset that counts as consumed, where the log has said which is the first.
    func cursor(first: Offset, earliest: Offset) -> Offset {
        if case .mark(let mark) = self { return mark.cursor(first: first, earliest: earliest) }
        return first - 1
    }
}

extension EventLog {
    /// The first offset of each topic from a time, which `ago:` counts back from `now`, or as of a
    /// mark.
    func firstOffsets(
        of topics: [TopicName], from start: StartPosition, now: Timestamp,
        completion: @escaping @Sendable (Result<LogAnswers<Offset>, BrokerError>) -> Void
    ) {
        if case .mark(let mark) = start {
            offsets(of: topics, asOf: mark.mark, completion: completion)
        } else if let time = start.time(now: now) {
            offsets(of: topics, at: time, completion: completion)
        } else {
            preconditionFailure("bug: \(start) is not searched for")
        }
    }
}
