internal import HeapModule

/// When readers that wait for their rate have their next turn, over a loop.
///
/// Confined to its loop.
struct Deadlines {
    private struct Entry: Comparable {
        let time: ContinuousClock.Instant
        let reader: TopicReader

        static func < (left: Entry, right: Entry) -> Bool { left.time < right.time }
        static func == (left: Entry, right: Entry) -> Bool { left.time == right.time }
    }

    private var entries = Heap<Entry>()
    /// When the loop's timer is due.
    private var timer: ContinuousClock.Instant?
    /// Who waits comes at most so much later.
    private static let slack = Duration.milliseconds(5)

    mutating func add(_ reader: TopicReader, at time: ContinuousClock.Instant) {
        entries.insert(Entry(time: time, reader: reader))
    }

    /// Those that are due, some of which may wait no more.
    mutating func takeDue(now: ContinuousClock.Instant) -> [TopicReader] {
        if let timer, timer <= now { self.timer = nil }
        var due: [TopicReader] = []
        while let first = entries.min, first.time <= now { due.append(entries.removeMin().reader) }
        return due
    }

    /// When a timer has to be set, if there is none that is early enough.
    mutating func nextTimer(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        guard let first = entries.min else { return nil }
        let due = max(first.time, now + Self.slack)
        guard timer.map({ due < $0 }) ?? true else { return nil }
        timer = due
        return due
    }
}
