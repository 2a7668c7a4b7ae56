internal import DequeModule
internal import EventModel

/// The followers of one session that replay: how many there are, whose turn it is to be refilled,
/// and for how many the log is being read.
///
/// A topic that grows faster than the socket takes it must not starve the others, so they have
/// turns. Who is being read for waits for the page instead.
struct ReplayQueue {
    /// Followers that replay, over all subscriptions, new topics' included.
    private(set) var replayingCount = 0
    /// Pages under way; bounded, so that what arrives fits the budget.
    private var readCount = 0
    private var queue = Deque<Follower>()
    /// Those in the queue that do not replay any more; fewer than the others, or taken out.
    private var staleCount = 0
    private static let readsMax = 2

    var isEmpty: Bool { replayingCount == 0 }

    // MARK: Who replays

    /// The follower replays from now on.
    mutating func began(_ follower: Follower) {
        follower.isReplaying = true
        replayingCount += 1
        if follower.isQueued { staleCount -= 1 } else { enqueue(follower) }
    }

    /// The follower is live, or has left.
    mutating func ended(_ follower: Follower) {
        follower.isReplaying = false
        replayingCount -= 1
        guard follower.isQueued else { return }
        staleCount += 1
        guard staleCount * 2 > queue.count else { return }
        queue.removeAll { follower in
            if !follower.isReplaying { follower.isQueued = false }
            return !follower.isReplaying
        }
        staleCount = 0
    }

    // MARK: Turns

    /// Whose turn it is.
    mutating func next() -> Follower? {
        while let follower = queue.first {
            if follower.isReplaying { return follower }
            queue.removeFirst().isQueued = false
            staleCount -= 1
        }
        return nil
    }

    /// The one that `next` gave has had its turn.
    mutating func nextServed() { queue.removeFirst().isQueued = false }

    /// The follower, which replays, has another turn behind the others.
    mutating func enqueue(_ follower: Follower) {
        guard !follower.isQueued, !follower.isReading else { return }
        follower.isQueued = true
        queue.append(follower)
    }

    // MARK: Reads

    var mayRead: Bool { readCount < Self.readsMax }

    /// A page is being read for the follower.
    mutating func readBegan(for follower: Follower) {
        readCount += 1
        follower.isReading = true
    }

    /// The read for the follower is over; it has another turn, if it still replays.
    mutating func readEnded(for follower: Follower) {
        readCount -= 1
        follower.isReading = false
        if follower.isReplaying { enqueue(follower) }
    }
}
