internal import EventModel
internal import FanOut
internal import Filtering

/// One event loop of the tests: a shard, and what it asked for.
final class TestLoop: FanOutActor {
    struct Read: Hashable {
        let topic: TopicName
        let after: Offset
        var pages = 1
    }

    let limits: Limits
    let start = ContinuousClock.now
    private(set) lazy var now = start
    /// When the loop's timer is due.
    private(set) var wakeTime: ContinuousClock.Instant?
    private(set) lazy var shard = FanOutShard(
        limits: limits, actor: self, clock: { [unowned self] in now })
    private(set) var followsAsked: [[TopicName]] = []
    private(set) var readsAsked: [Read] = []
    private(set) var unfollowed: [TopicName] = []
    /// Patterns that the loop wants, of each as many as groups have it.
    private(set) var patterns: [TopicPattern] = []
    private(set) var flushesScheduled = 0

    init(
        backlogBytesMax: Int = 1000, pageBytesMax: Int = 250, recentEventsBytesMax: Int = 100_000,
        backlogsBytesMax: Int = 1 << 20
    ) {
        var limits = Limits()
        limits.backlogBytesMax = backlogBytesMax
        limits.pageBytesMax = pageBytesMax
        limits.backlogsBytesMax = backlogsBytesMax
        limits.recentEventsBytesMax = recentEventsBytesMax
        self.limits = limits
    }

    /// Flushes that are to wait until the sockets had their turn.
    private(set) var flushesPutOff = 0

    func scheduleWake(at time: ContinuousClock.Instant) { wakeTime = time }

    /// Time passes, and the loop's timer with it.
    func pass(_ duration: Duration) {
        let end = now + duration
        while let time = wakeTime, time <= end {
            now = time
            wakeTime = nil
            shard.wake()
            turn()
        }
        now = end
    }

    /// A second passes.
    func tick() {
        pass(.seconds(1))
        _ = shard.tick(now: now)
    }

    func scheduleFlush() { flushesScheduled += 1 }
    func scheduleFlushLater() { flushesPutOff += 1 }
    func follow(_ topics: [TopicName]) { followsAsked.append(topics) }
    func unfollow(_ topics: [TopicName]) { unfollowed += topics }
    func patternsCame(_ patterns: [TopicPattern]) { self.patterns += patterns }
    func patternsWent(_ patterns: [TopicPattern]) {
        for pattern in patterns {
            if let index = self.patterns.firstIndex(of: pattern) { self.patterns.remove(at: index) }
        }
    }
    /// What topics have as their own.
    var policies: [TopicName: OverflowPolicy] = [:]
    func overflow(of topic: TopicName) -> OverflowPolicy? { policies[topic] }
    func read(_ topic: TopicName, after: Offset, pages: Int, in encoding: Encoding) {
        readsAsked.append(Read(topic: topic, after: after, pages: pages))
    }

    /// Ends the loop's turn: flushes until nothing is dirty.
    func turn() {
        while flushesScheduled + flushesPutOff > 0 {
            flush { start }
        }
    }

    /// One flush, which takes the time that `clock` tells.
    func flush(clock: () -> ContinuousClock.Instant) {
        flushesScheduled = 0
        flushesPutOff = 0
        shard.flush(clock: clock)
    }

    func takeReads() -> [Read] {
        defer { readsAsked = [] }
        return readsAsked
    }

    func takeFollows() -> [[TopicName]] {
        defer { followsAsked = [] }
        return followsAsked
    }

    // MARK: What the log tells

    /// The topic is followed from these ends on.
    @discardableResult
    func follows(
        _ topic: TopicName, latest: Offset = 0, earliest: Offset = 1, epoch: Epoch = .one,
        isEphemeral: Bool = false
    ) -> TopicFeed {
        shard.followed([
            TopicPosition(
                topic: topic, epoch: epoch, earliest: earliest, latest: latest,
                isEphemeral: isEphemeral)
        ])
        guard let feed = shard.feed(of: topic) else { preconditionFailure("no feed of \(topic)") }
        return feed
    }

    func append(
        _ offsets: ClosedRange<Offset>, to topic: TopicName, bytes: Int = 100, epoch: Epoch = .one
    ) {
        shard.appended(events(offsets, bytes: bytes), to: topic, epoch: epoch)
        turn()
    }

    /// Events of these keys, from an offset on.
    func append(_ keys: [String?], from first: Offset, to topic: TopicName, bytes: Int = 100) {
        let events = keys.enumerated().map {
            TestFrame.event(first + Offset($0.offset), bytes: bytes, key: $0.element)
        }
        shard.appended(events, to: topic, epoch: .one)
        turn()
    }

    func events(_ offsets: ClosedRange<Offset>, bytes: Int = 100) -> [Event] {
        offsets.map { TestFrame.event($0, bytes: bytes) }
    }

    /// Answers a read with these events, or with none.
    func answer(
        _ topic: TopicName, after: Offset, _ offsets: ClosedRange<Offset>?, latest: Offset,
        earliest: Offset = 1, purgedBelow: Offset = 0, epoch: Epoch = .one, bytes: Int = 100
    ) {
        let page = EventPage(
            position: TopicPosition(
                topic: topic, epoch: epoch, earliest: earliest, latest: latest),
            purgedBelow: purgedBelow, events: offsets.map { events($0, bytes: bytes) } ?? [])
        shard.pageArrived(
            ReplayPage(page, in: TestFrame.encoding), of: topic, after: after)
        turn()
    }

    func restart(
        _ topic: TopicName, fork: Offset, latest: Offset? = nil, epoch: Epoch = .two
    ) {
        let position = TopicPosition(
            topic: topic, epoch: epoch, earliest: 1, latest: latest ?? fork)
        shard.restarted(position, fork: fork)
        turn()
    }

    // MARK: Clients

    /// A subscription that has joined at these cursors; what it was told at first is taken already.
    func subscribed(
        _ client: TestClient, id: Int64 = 1, patterns: [String], at cursors: [(TopicFeed, Offset)],
        options: SubscriptionOptions = SubscriptionOptions()
    ) throws -> Subscription {
        let subscription = try registered(client, id: id, patterns: patterns, options: options)
        shard.join(subscription, cursors.map { ReaderStart(feed: $0, cursor: $1) })
        turn()
        return subscription
    }

    func registered(
        _ client: TestClient, id: Int64 = 1, patterns: [String],
        options: SubscriptionOptions = SubscriptionOptions(), filter: EventFilter? = nil
    ) throws -> Subscription {
        let subscription = Subscription(
            id: id, patterns: try patterns.map { try TopicPattern($0) },
            subscriber: client.subscriber, options: options, filter: filter)
        shard.register(subscription)
        return subscription
    }
}

extension Epoch {
    /// Three incarnations of a topic.
    static let one = Epoch(incarnation: "aaaaaaaaaa", topicID: 1)
    static let two = Epoch(incarnation: "bbbbbbbbbb", topicID: 1)
    static let three = Epoch(incarnation: "cccccccccc", topicID: 1)
    /// Another topic under the name.
    static let recreated = Epoch(incarnation: "aaaaaaaaaa", topicID: 2)
}
