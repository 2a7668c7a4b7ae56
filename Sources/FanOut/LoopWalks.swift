/// The walks of a loop that are under way, and the feeds that they have passed.
struct LoopWalks {
    /// Ascending.
    private(set) var numbers: [Int] = []
    private var last = 0
    private var passed: [TopicFeed] = []
    private var stalled: [Subscription] = []

    var isEmpty: Bool { numbers.isEmpty }

    /// - Returns: The number of the walk that begins.
    mutating func begin() -> Int {
        last += 1
        numbers.append(last)
        return last
    }

    mutating func end(_ walk: TopicWalk) { numbers.removeAll { $0 == walk.number } }

    /// Somebody has left the feed, which is to go with the last who needs it if a walk made it.
    mutating func left(_ feed: TopicFeed) { if feed.isPassing { passed.append(feed) } }

    /// The feeds that `left` was told of, some more than once.
    mutating func takePassed() -> [TopicFeed] {
        defer { passed = [] }
        return passed
    }

    /// The next topics of the subscription's walk could not be looked up.
    mutating func stall(_ subscription: Subscription) { stalled.append(subscription) }

    /// Those that are to ask again.
    mutating func takeStalled() -> [Subscription] {
        defer { stalled = [] }
        return stalled
    }
}
