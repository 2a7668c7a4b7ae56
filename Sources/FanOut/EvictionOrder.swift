internal import DequeModule
internal import EventModel

/// Bounds the newest events that a loop keeps in memory: over all topics, the oldest go first.
struct EvictionOrder {
    private var feeds = Deque<TopicFeed>()
    private(set) var byteCount = 0
    /// No event counts for less; bounds the entries of feeds that forgot their events by
    /// themselves.
    private static let eventBytesMin = 64

    /// Counts new events, and evicts the oldest over the bound.
    mutating func appended(
        _ events: ArraySlice<SharedEvent>, to feed: TopicFeed, bytesMax: Int
    ) {
        for event in events {
            feeds.append(feed)
            event.countedBytes = event.byteCount
            byteCount += event.countedBytes
        }
        while byteCount > bytesMax || feeds.count > bytesMax / Self.eventBytesMin,
            let oldest = feeds.popFirst()
        {
            byteCount -= oldest.evictOldest()
        }
    }

    /// Bytes that a feed forgot by itself.
    ///
    /// Its entries stay, and their turn evicts what the feed has got since, if anything.
    mutating func forget(bytes: Int) { byteCount -= bytes }
}
