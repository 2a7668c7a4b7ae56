internal import EventModel
internal import SessionProtocol

/// Events of some topics as a sequence that outlives connections.
///
/// Iterating connects. When a connection is lost, the next one goes on exactly behind what came
/// over it: no event is missing, and none comes twice. Where the iterator is slow, the broker waits
/// for it: it is granted credit as events are taken.
///
/// The subscriptions of a `BrokerClient` share one wss session. Each has its own credit and its own
/// position, so a slow one holds up no other. What a session can't hold beside the others, like a
/// subscription whose topics another one has already, gets a session of its own.
public struct Subscription: AsyncSequence, Sendable {
    /// Events and notices.
    public typealias Element = SubscriptionItem

    let pool: SessionPool
    let patterns: [TopicPattern]
    let start: StartPosition
    let cursors: [TopicName: Cursor]
    let options: SubscriptionOptions
    let filter: String?
    let rate: RateControl
    let isBatched: Bool

    /// Changes how many events a second of each topic come at most, in all of its iterators, also
    /// while they wait; `nil`: no bound.
    ///
    /// - Throws: For a number below 1. A broker that refuses it ends the iterators.
    public func update(maxRate: Int?) throws(SluiceError) {
        try SubscribeOptions.check(maxRate, "maximal rate")
        rate.set(maxRate)
    }

    /// Begins at the start position, with the first item that is asked for.
    ///
    /// Two iterators are two subscriptions, each with all events.
    public func makeAsyncIterator() -> Iterator { Iterator(SubscriptionFeed(self)) }

    /// Takes items; ends by being let go, or by throwing a `SluiceError`, which it then throws
    /// again.
    ///
    /// Usable from any task, but from one at a time. After a `CancellationError` another task may
    /// go on with it.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        /// The broker hears of what was taken when it is worth its while, or at so many bytes.
        private static let takenBytesMax = 1 << 20

        private let feed: SubscriptionFeed
        private var waiting: ArraySlice<SubscriptionItem> = []
        private var takenStep = 1
        /// Events that were taken and not told yet.
        private var taken = (events: 0, bytes: 0)

        init(_ feed: SubscriptionFeed) { self.feed = feed }

        /// The next item.
        ///
        /// - Returns: Never `nil`: a subscription has no end of its own.
        /// - Throws: `SluiceError` when trying again can't help, or when the client never reached
        ///   the broker; `CancellationError`.
        public mutating func next() async throws -> SubscriptionItem? {
            while waiting.isEmpty { waiting = try await nextItems()[...] }
            let item = waiting.popFirst()
            if let item { count(item) }
            tell()
            return item
        }

        /// All items that have arrived, at least one; for writing many at once.
        ///
        /// - Returns: Never `nil`: a subscription has no end of its own.
        /// - Throws: As `next`.
        public mutating func nextBatch() async throws -> [SubscriptionItem]? {
            var items: [SubscriptionItem] = Array(waiting)
            waiting = []
            while items.isEmpty { items = try await nextItems() }
            for item in items { count(item) }
            tell()
            return items
        }

        private mutating func nextItems() async throws -> [SubscriptionItem] {
            let delivery = try await feed.take()
            takenStep = delivery.takenStep
            return delivery.items
        }

        private mutating func count(_ item: SubscriptionItem) {
            guard case .event(let event) = item else { return }
            taken.events += 1
            taken.bytes += event.message.count
        }

        private mutating func tell() {
            guard taken.events >= takenStep || taken.bytes >= Self.takenBytesMax else { return }
            feed.took(events: taken.events, bytes: taken.bytes)
            taken = (0, 0)
        }
    }
}
