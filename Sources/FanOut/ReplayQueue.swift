internal import DequeModule
internal import EventModel

/// The readers of one session that replay: how many there are, whose turn it is to be refilled,
/// and for how many the log is being read.
///
/// A topic that grows faster than the socket takes it must not starve the others, so they have
/// turns. Who is being read for waits for the page instead.
struct ReplayQueue {
    /// Readers that replay, over all subscriptions, new topics' included.
    private(set) var replayingCount = 0
    /// Pages under way; bounded, so that what arrives fits the budget.
    private var readCount = 0
    private var queue = Deque<TopicReader>()
    /// Those in the queue that do not replay any more; fewer than the others, or taken out.
    private var staleCount = 0
    private static let readsMax = 2

    var isEmpty: Bool { replayingCount == 0 }

    // MARK: Who replays

    /// The reader replays from now on.
    mutating func began(_ reader: TopicReader) {
        reader.isReplaying = true
        replayingCount += 1
        if reader.isQueued { staleCount -= 1 } else { enqueue(reader) }
    }

    /// The reader is live, or has left.
    mutating func ended(_ reader: TopicReader) {
        reader.isReplaying = false
        replayingCount -= 1
        guard reader.isQueued else { return }
        staleCount += 1
        guard staleCount * 2 > queue.count else { return }
        queue.removeAll { reader in
            if !reader.isReplaying { reader.isQueued = false }
            return !reader.isReplaying
        }
        staleCount = 0
    }

    // MARK: Turns

    /// Whose turn it is.
    mutating func next() -> TopicReader? {
        while let reader = queue.first {
            if reader.isReplaying { return reader }
            queue.removeFirst().isQueued = false
            staleCount -= 1
        }
        return nil
    }

    /// The one that `next` gave has had its turn.
    mutating func nextServed() { queue.removeFirst().isQueued = false }

    /// The reader, which replays, has another turn behind the others.
    mutating func enqueue(_ reader: TopicReader) {
        guard !reader.isQueued, !reader.isReading else { return }
        reader.isQueued = true
        queue.append(reader)
    }

    // MARK: Reads

    var mayRead: Bool { readCount < Self.readsMax }

    /// A page is being read for the reader.
    mutating func readBegan(for reader: TopicReader) {
        readCount += 1
        reader.isReading = true
    }

    /// The read for the reader is over; it has another turn, if it still replays.
    mutating func readEnded(for reader: TopicReader) {
        readCount -= 1
        reader.isReading = false
        if reader.isReplaying { enqueue(reader) }
    }
}
