internal import EventModel

/// In which topics a subscription's filter has passed over events since the client was told where it
/// stands, and of how many.
struct FilterProgress {
    private var skipped: [ObjectIdentifier: (feed: TopicFeed, count: Int)] = [:]
    /// When the first of them was passed over, as of a tick of the loop.
    private var since: ContinuousClock.Instant?
    private var isLong = false
    /// After so many the client is told at once.
    private static let eventsMax = 10_000
    /// At a tick after so long, so that with the next tick no more than 5 s pass.
    private static let timeMax = Duration.seconds(4)

    var isEmpty: Bool { skipped.isEmpty }

    /// An event was passed over.
    ///
    /// - Returns: `true` if the client is to be told soon.
    mutating func skip(in feed: TopicFeed, now: ContinuousClock.Instant) -> Bool {
        if since == nil { since = now }
        let id = ObjectIdentifier(feed)
        let count = (skipped[id]?.count ?? 0) + 1
        skipped[id] = (feed, count)
        if count >= Self.eventsMax { isLong = true }
        return isLong
    }

    /// The client is told of the topic where it stands.
    mutating func told(of feed: TopicFeed) {
        guard !skipped.isEmpty else { return }
        skipped[ObjectIdentifier(feed)] = nil
        if skipped.isEmpty { self = FilterProgress() }
    }

    func isDue(now: ContinuousClock.Instant) -> Bool {
        isLong || since.map { now - $0 >= Self.timeMax } ?? false
    }

    /// Those to tell of, by name.
    var feeds: [TopicFeed] {
        skipped.values.map(\.feed).sorted { $0.topic.text < $1.topic.text }
    }
}
