internal import EventModel

/// How many events of a subscription its client takes (doc:Session, "Credit"), and who waits for
/// more.
struct ClientCredit {
    /// Events that may still be put into the session's backlog; `nil`: any number.
    private(set) var left: Int64?
    private var waiting: [TopicReader] = []

    init(_ events: Int64?) { left = events }

    var isSpent: Bool { left == 0 }

    /// Events have come into the backlog, or, if there are fewer than none, were dropped from it.
    mutating func spend(_ events: Int) { left? -= Int64(events) }

    /// The client takes so many more; of one that has nothing to count they are ignored.
    mutating func grant(_ events: Int64) {
        left = left.map { min($0 + min(events, Limits.integerMax), Limits.integerMax) }
    }

    /// The reader goes on when there is more.
    mutating func wait(_ reader: TopicReader) { waiting.append(reader) }

    /// Who may go on, as there is some.
    mutating func takeWaiting() -> [TopicReader] {
        guard !isSpent, !waiting.isEmpty else { return [] }
        defer { waiting = [] }
        return waiting
    }
}
