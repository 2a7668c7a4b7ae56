package import EventModel
package import FanOut
package import NIOCore
internal import SessionProtocol
internal import Transport
package import WebSocketCodec

/// Delivery on one event loop: its shard of the fan-out, its connections, and one clock for all of
/// them.
///
/// Confined to its loop.
package final class LoopDelivery {
    package let eventLoop: any EventLoop
    package let limits: Limits
    package private(set) lazy var shard = FanOutShard(
        limits: limits, actor: self, clock: { .now })
    private var connections: [any DeliveryConnection] = []
    /// Subscriptions whose questions were answered together, and that go on in turn.
    private var beginning: TurnQueue<() -> Void>
    private var hub: DeliveryHub?
    private var number = 0
    /// The log's last mark that was told here, and when somebody asked for it.
    var mark: (mark: LogMark, asked: ContinuousClock.Instant)?
    /// Set when the broker goes down.
    private var drainTime: Duration?
    /// How exactly heartbeats, pings and timeouts are kept.
    private static let tickInterval = TimeAmount.seconds(1)
    /// Connections whose timeouts are looked at together; of more, each part has its own time
    /// within the interval, so that they do not hold up the loop.
    private static let tickedTogether = 200
    /// The most plaintext of one TLS record (RFC 8446 5.1), less what is put around a chunk of a
    /// body.
    private static let recordBytesMax = 16 * 1024 - 16

    /// Plaintext of one record, shared by all connections of the loop.
    ///
    /// Unsafe memory on the hot path: frames are copied into it and sealed from it, without an
    /// array for each connection.
    package let record = UnsafeMutableRawBufferPointer.allocate(
        byteCount: recordBytesMax, alignment: 64)

    /// Deflates and inflates for all WebSockets of the loop that have agreed on it; made for the
    /// first of them.
    package private(set) lazy var compression = MessageCompression()

    init(eventLoop: any EventLoop, limits: Limits) {
        self.eventLoop = eventLoop
        self.limits = limits
        beginning = TurnQueue(TimeAmount(limits.flushTurn))
    }

    deinit { record.deallocate() }

    func start(hub: DeliveryHub, number: Int) {
        self.hub = hub
        self.number = number
        scheduleTick { [unowned self] in tick() }
    }

    /// Ends the clock and lets the hub go.
    func stop() { hub = nil }

    private func scheduleTick(
        in time: TimeAmount = tickInterval, _ body: @escaping () -> Void
    ) {
        eventLoop.assumeIsolated().scheduleTask(in: time) { [weak self] in
            if self?.hub != nil { body() }
        }
    }

    // MARK: Connections

    package func add(_ connection: any DeliveryConnection) {
        connection.place = connections.count
        connections.append(connection)
    }

    package func remove(_ connection: any DeliveryConnection) {
        let last = connections.removeLast()
        guard last !== connection else { return }
        connections[connection.place] = last
        last.place = connection.place
    }

    /// How many sessions and streams are open.
    package var connectionCount: Int { connections.count }

    /// Bytes that wait for the sockets of all sessions and streams.
    package var backlogBytes: Int { connections.reduce(0) { $0 + $1.backlogBytes } }

    /// The tokens on which sessions and streams of the loop stand.
    var tokenIDs: Set<String> { Set(connections.compactMap(\.tokenID)) }

    /// Ends what stands on these tokens: they were revoked.
    func end(tokens: Set<String>) {
        for connection in connections where connection.tokenID.map(tokens.contains) ?? false {
            connection.end(.tokenRevoked)
        }
    }

    /// Tells every client to come back after some while, not all after the same, and closes.
    package func drain(reconnectWithin: Duration) {
        drainTime = reconnectWithin
        for connection in connections {
            let share = Double.random(in: 0.1...1)
            connection.drain(reconnectAfter: reconnectWithin * share)
        }
    }

    // MARK: Events of the log

    /// Whoever waits for something to happen to a topic, beside the fan-out.
    package var watches = TopicWatches()

    func appended(_ events: [Event], to position: TopicPosition) {
        shard.appended(events, to: position.topic, epoch: position.epoch, at: position)
        var reached = position
        reached.latest = events.last?.offset ?? position.latest
        if reached.isEphemeral { reached.earliest = reached.latest + 1 }
        tell(.appended(events, to: reached), of: position.topic)
    }

    private func tell(_ news: TopicNews, of topic: TopicName) {
        for watcher in watches.watchers(of: topic) { watcher.happened(news) }
    }

    func created(_ topics: [TopicName]) {
        shard.created(topics)
        for topic in topics { tell(.changed, of: topic) }
    }

    /// The topic is gone, and this loop does not follow it any more.
    func deleted(_ topic: TopicName, at position: TopicPosition? = nil) {
        if shard.deleted(topic, at: position) { unfollow([topic]) }
        tell(.changed, of: topic)
    }

    func purged(_ topic: TopicName, earliest: Offset, at position: TopicPosition?) {
        shard.purged(topic, earliest: earliest, at: position)
        tell(.purged(below: earliest), of: topic)
    }

    func restarted(_ position: TopicPosition, fork: Offset, from old: TopicPosition?) {
        shard.restarted(position, fork: fork, from: old)
        tell(.changed, of: position.topic)
    }

    private func tick() {
        // Whoever was on the way in when the others were told.
        if let drainTime { drain(reconnectWithin: drainTime) }
        let now = ContinuousClock.now
        let abandoned = shard.tick(now: now)
        if !abandoned.isEmpty { unfollow(abandoned) }
        let awaited = shard.topicsAwaited
        if !awaited.isEmpty { follow(awaited) }
        let parts = 1 + connections.count / Self.tickedTogether
        let interval = TimeAmount.nanoseconds(Self.tickInterval.nanoseconds / Int64(parts))
        tick(below: connections.count, parts: parts, every: interval)
    }

    /// Looks at the last part of the connections below a place, and later at the others.
    private func tick(below end: Int, parts: Int, every interval: TimeAmount) {
        let now = ContinuousClock.now
        let begin = end - end / parts
        // Backwards, because whoever leaves is replaced by the last.
        for place in (begin..<end).reversed() where place < connections.count {
            connections[place].tick(now: now)
        }
        scheduleTick(in: interval) { [unowned self] in
            if parts > 1 { tick(below: begin, parts: parts - 1, every: interval) } else { tick() }
        }
    }

    /// Flushes again when others had their turn.
    package func flushLater(_ subscriber: Subscriber) { shard.flushNextTurn(subscriber) }

    // MARK: Subscribing

    /// Goes on with a subscription that begins; in a later turn if many do at once.
    func begin(_ subscription: @escaping () -> Void) {
        let isFirst = !beginning.isUnderWay
        if beginning.mayBegin(now: .now()) {
            subscription()
        } else {
            beginning.append(subscription)
        }
        if isFirst { scheduleBeginning() }
    }

    private func scheduleBeginning() {
        LoopPolls.shared.afterPoll(on: eventLoop) { [self] in
            beginning.beginTurn()
            while let subscription = beginning.next(now: .now()) { subscription() }
            if beginning.isUnderWay { scheduleBeginning() }
        }
    }

    /// Follows topics; the shard has their feeds when `completion` runs, but for those that do not
    /// exist.
    package func follow(
        _ topics: [TopicName], isPassing: Bool = false,
        completion: @escaping (Result<[TopicPosition], BrokerError>) -> Void
    ) {
        let bound = NIOLoopBound(completion, eventLoop: eventLoop)
        hub?.follow(topics, onLoop: number, isPassing: isPassing) { _, result in
            bound.value(result)
        }
    }

    /// Follows everything that the patterns of a registered subscription match: the node has the
    /// heads of all when `completion` runs, and the shard is told what is above them.
    func follow(
        matching patterns: [TopicPattern],
        completion: @escaping (Result<Void, BrokerError>) -> Void
    ) {
        let bound = NIOLoopBound(completion, eventLoop: eventLoop)
        hub?.follow(matching: patterns, onLoop: number) { bound.value($0) }
    }
}

@available(*, unavailable) extension LoopDelivery: Sendable {}

extension LoopDelivery: FanOutActor {
    package func scheduleFlush() {
        eventLoop.assumeIsolated().execute { self.shard.flush(clock: { .now }) }
    }

    package func scheduleFlushLater() {
        LoopPolls.shared.afterPoll(on: eventLoop) { self.shard.flush(clock: { .now }) }
    }

    package func scheduleWake(at time: ContinuousClock.Instant) {
        let nanoseconds = (time - .now) / .nanoseconds(1)
        eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(max(0, nanoseconds)))) {
            self.shard.wake()
        }
    }

    package func follow(_ topics: [TopicName]) {
        // A failure leaves them awaited; the next tick asks again.
        follow(topics) { _ in }
    }

    package func unfollow(_ topics: [TopicName]) { hub?.unfollow(topics, onLoop: number) }

    package func patternsCame(_ patterns: [TopicPattern]) {
        hub?.patternsCame(patterns, onLoop: number)
    }

    package func patternsWent(_ patterns: [TopicPattern]) {
        hub?.patternsWent(patterns, onLoop: number)
    }

    package func overflow(of topic: TopicName) -> OverflowPolicy? { hub?.overflow(of: topic) }

    package func read(_ topic: TopicName, after: Offset, pages: Int, in encoding: Encoding) {
        hub?.read(
            topic, after: after, events: limits.pageEventsMax * pages,
            bytes: limits.pageBytesMax * pages, in: encoding, onLoop: number)
    }
}
