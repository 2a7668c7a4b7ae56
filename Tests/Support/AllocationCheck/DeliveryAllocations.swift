internal import CAllocationCount
internal import EventModel
internal import FanOut

/// Allocations while events are fanned out to live subscribers whose sockets take everything.
struct DeliveryAllocations {
    private let topic: TopicName
    private static let epoch = Epoch(incarnation: "aaaaaaaaaa", topicID: 1)
    private static let warmUp: Int64 = 50
    private static let events: Int64 = 500

    init() throws { topic = try TopicName("orders") }

    /// For one delivery of an event that is encoded already.
    ///
    /// What an event costs by itself is the same for few subscribers and for many, so it is in
    /// neither.
    func perDelivery() -> Double {
        let (few, many) = (200, 1200)
        let difference = allocations(subscribers: many) - allocations(subscribers: few)
        return Double(difference) / Double(many - few) / Double(Self.events)
    }

    /// For one event: to be taken in, encoded and kept; and for one turn of the loop.
    func perEvent() -> Double { Double(allocations(subscribers: 1)) / Double(Self.events) }

    private func allocations(subscribers count: Int) -> Int {
        let loop = CountedLoop()
        let position = TopicPosition(topic: topic, epoch: Self.epoch, earliest: 1, latest: 0)
        loop.shard.followed([position])
        let sinks = (0..<count).map { _ in Sink(loop) }
        for sink in sinks { sink.subscribe(to: topic) }
        fanOut(1...Self.warmUp, loop)
        let before = allocation_count()
        fanOut(Self.warmUp + 1...Self.warmUp + Self.events, loop)
        let after = allocation_count()
        let bytes = Int(Self.warmUp + Self.events) * Sink.eventBytes
        precondition(sinks.allSatisfy { $0.byteCount >= bytes }, "bug: not everything came")
        return Int(after - before)
    }

    private func fanOut(_ offsets: ClosedRange<Offset>, _ loop: CountedLoop) {
        for offset in offsets {
            let event = Event(
                offset: offset, time: Timestamp(microseconds: offset),
                content: NewEvent(data: [0x31]))
            loop.shard.appended([event], to: topic, epoch: Self.epoch)
            loop.turn()
        }
    }
}

/// An event loop that flushes when it is told to.
private final class CountedLoop: FanOutActor {
    let limits = Limits()
    private let start = ContinuousClock.now
    private(set) lazy var shard = FanOutShard(
        limits: limits, actor: self, clock: { [start] in start })
    private var isFlushScheduled = false

    func turn() {
        while isFlushScheduled {
            isFlushScheduled = false
            shard.flush(clock: { start })
        }
    }

    func scheduleFlush() { isFlushScheduled = true }
    func scheduleFlushLater() { isFlushScheduled = true }
    func scheduleWake(at time: ContinuousClock.Instant) {}
    func follow(_ topics: [TopicName]) { preconditionFailure("bug: all topics are followed") }
    func unfollow(_ topics: [TopicName]) {}
    func patternsCame(_ patterns: [TopicPattern]) {}
    func patternsWent(_ patterns: [TopicPattern]) {}
    func overflow(of topic: TopicName) -> OverflowPolicy? { nil }
    func read(_ topic: TopicName, after: Offset, pages: Int, in encoding: Encoding) {
        preconditionFailure("bug: nobody replays")
    }
}

/// A connection whose socket takes everything and forgets it.
private final class Sink: SubscriberOutput {
    static let eventBytes = 100
    private static let encoding = Encoding(
        event: { _, _, _ in [UInt8](repeating: 0x20, count: eventBytes) }, notice: { _ in [0x20] })

    private(set) lazy var subscriber = Subscriber(
        output: self, shard: loop.shard, limits: loop.limits, encoding: Self.encoding)
    private(set) var byteCount = 0
    private let loop: CountedLoop
    // Unsafe memory, as the connection's own is on the hot path.
    private let record = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)

    init(_ loop: CountedLoop) { self.loop = loop }

    deinit { record.deallocate() }

    func subscribe(to topic: TopicName) {
        guard let feed = loop.shard.feed(of: topic) else {
            preconditionFailure("bug: \(topic) is not followed")
        }
        let subscription = Subscription(
            id: 1, patterns: [TopicPattern(topic)], subscriber: subscriber)
        loop.shard.register(subscription)
        loop.shard.join(subscription, [ReaderStart(feed: feed, cursor: 0)])
        loop.turn()
    }

    func flush() {
        repeat {
            var count = 0
            repeat {
                count = subscriber.backlog.fill(record)
                byteCount += count
            } while count > 0
            subscriber.refill()
        } while !subscriber.backlog.isEmpty
    }
}
