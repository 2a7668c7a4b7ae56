internal import DequeModule
package import EventModel

/// One session's part of the fan-out: its subscriptions and their common backlog.
///
/// Confined to its event loop, like everything it touches. It decides what waits, what is dropped
/// and what is read; the connection that owns it moves the bytes.
package final class Subscriber {
    /// What waits for the socket.
    ///
    /// The connection takes from it while the socket is writable.
    package var backlog: Backlog
    package private(set) var subscriptions: [Subscription] = []
    /// Told when something waits, once a loop turn; `nil` once the session is over.
    package private(set) var output: (any SubscriberOutput)?
    /// A subscription whose policy is `disconnect` was over the budget.
    private var isOverflowed = false
    let shard: FanOutShard
    /// It is in the shard's list of those to flush.
    var isDirty = false
    /// Its index in the loop's budget; `nil` without subscriptions.
    var slot: Int?

    /// In which it gets events and notices.
    let encoding: Encoding
    /// Makes the bytes that go before an event's shared ones; `nil`: none.
    private let ownBytes: ((SharedEvent, Subscription) -> [UInt8])?
    let limits: Limits
    /// Bytes that its readers hold.
    private var heldBytes = 0 { didSet { shard.budget.count += heldBytes - oldValue } }
    var turns = RefillQueue()
    /// Subscriptions that have something to tell for which the budget had no room, in turn.
    var owing = Deque<Subscription>()
    /// Subscriptions that have not reached all their topics.
    private(set) var walking: [Subscription] = []
    /// What goes on waiting in the backlog of topics that hold their events: a record's worth, so
    /// that a policy acts on the rest.
    private static let sendingBytesMax = 16 << 10

    package init(
        output: any SubscriberOutput, shard: FanOutShard, limits: Limits,
        encoding: Encoding, ownBytes: ((SharedEvent, Subscription) -> [UInt8])? = nil
    ) {
        self.output = output
        self.shard = shard
        self.limits = limits
        self.encoding = encoding
        self.ownBytes = ownBytes
        backlog = Backlog(countedIn: shard.budget)
    }

    /// From now on, messages that move the client on get bytes of its own when they go out.
    package func mark(_ mark: @escaping Backlog.Mark) { backlog.mark = mark }

    // MARK: What is put into the backlog

    /// A reply or another message that belongs to no event stream.
    ///
    /// Outside the budget: the connection bounds how many wait (`Backlog.controlByteCount`).
    package func sendControl(_ bytes: [UInt8]) {
        backlog.append(control: bytes)
        shard.markDirty(self)
    }

    /// Events that the loop fans out now, behind `cursor`, up to which the subscription has
    /// everything.
    ///
    /// - Returns: Up to where it has everything now; `nil` if it has fallen behind, and gets the
    ///   rest later.
    @discardableResult
    func deliver(
        _ events: ArraySlice<SharedEvent>, of feed: TopicFeed, behind cursor: Offset,
        to subscription: Subscription
    ) -> Offset? {
        var cursor = cursor
        for (index, event) in zip(events.indices, events) where event.offset > cursor {
            if subscription.wants(event) {
                let message = message(of: event, for: subscription)
                let room = room(for: message.size, of: feed, behind: cursor, for: subscription)
                guard room == .backlog else {
                    if room == .held { hold(events[index...], of: feed, subscription, cursor) }
                    return nil
                }
                put(message, of: feed, behind: cursor, for: subscription)
            } else {
                skip(in: feed, subscription)
            }
            cursor = event.offset
        }
        return cursor
    }

    /// Where a live event goes.
    private enum Room {
        case backlog
        /// To what the subscription holds.
        case held
        /// Nowhere: the subscription has fallen back to the log.
        case log
    }

    private func room(
        for size: Int, of feed: TopicFeed, behind cursor: Offset, for subscription: Subscription
    ) -> Room {
        if !subscription.credit.isSpent, subscription.maxRate == nil, isSending, hasRoom(for: size)
        {
            return .backlog
        }
        if policy(of: subscription, in: feed).isHolding { return .held }
        if !subscription.credit.isSpent {
            makeRoom(for: size)
            let known = subscription.reader(of: feed)
            // It may have fallen back itself.
            if let known, known.standing != .ahead { return .log }
            if hasRoom(for: size) { return .backlog }
        }
        fallBack(subscription, in: feed, to: cursor)
        tellOwed(by: subscription)
        return .log
    }

    /// An event as it goes into the backlog.
    struct EventMessage {
        let offset: Offset
        let bytes: [UInt8]
        /// That only this subscription gets, before the shared ones.
        let own: [UInt8]

        var size: Int { own.count + bytes.count }
    }

    func message(of event: SharedEvent, for subscription: Subscription) -> EventMessage {
        EventMessage(
            offset: event.offset, bytes: event.bytes(in: encoding),
            own: ownBytes?(event, subscription) ?? [])
    }

    /// Puts an event into the backlog, whatever waits.
    func put(
        _ message: EventMessage, of feed: TopicFeed, behind cursor: Offset,
        for subscription: Subscription
    ) {
        precondition(
            message.offset > cursor,
            "bug: \(feed.topic) \(message.offset) delivered after \(cursor)")
        let step = Backlog.Step(
            subscription: subscription, feed: feed, before: cursor, after: message.offset)
        backlog.append(event: message.bytes, own: message.own, step)
        subscription.progress.told(of: feed)
        shard.markDirty(self)
    }

    /// Events that the loop fans out now, for a reader that may take them.
    func deliver(_ events: ArraySlice<SharedEvent>, to reader: TopicReader) {
        if reader.standing == .holding { return hold(events, for: reader) }
        guard reader.standing == .ahead,
            let cursor = deliver(
                events, of: reader.feed, behind: reader.cursor, to: reader.subscription)
        else { return }
        reader.cursor = cursor
        if cursor <= reader.feed.head { leave(reader) }
    }

    // MARK: What is held

    /// The subscription holds these events, and has everything up to `cursor`.
    private func hold(
        _ events: ArraySlice<SharedEvent>, of feed: TopicFeed, _ subscription: Subscription,
        _ cursor: Offset
    ) {
        let reader = place(of: subscription, in: feed, at: cursor)
        reader.cursor = cursor
        startHolding(reader)
        hold(events, for: reader)
    }

    /// Events that the loop fans out now, for a reader that holds what comes.
    func hold(_ events: ArraySlice<SharedEvent>, for reader: TopicReader) {
        let subscription = reader.subscription
        let policy = policy(of: subscription, in: reader.feed)
        for event in events where event.offset > reader.cursor {
            guard reader.standing == .holding else { return }
            guard subscription.wants(event) else {
                // A reset that is owed tells where it begins.
                if reader.held.isEmpty, reader.owedReset == nil { reader.cursor = event.offset }
                skip(in: reader.feed, subscription)
                continue
            }
            makeRoom(for: HeldEvents.size(of: event))
            // Its policy is another now, and it reads the rest.
            guard reader.standing == .holding else { return }
            changeHeld(of: reader) {
                if policy.isConflating { $0.conflate(event) } else { $0.append(event) }
            }
        }
        shard.markDirty(self)
    }

    /// Changes what a reader holds, which counts into the budgets.
    func changeHeld(of reader: TopicReader, _ change: (inout HeldEvents) -> Void) {
        let before = reader.held.byteCount
        change(&reader.held)
        reader.subscription.heldBytes += reader.held.byteCount - before
        heldBytes += reader.held.byteCount - before
    }

    // MARK: Room

    /// Whether an event or notice fits the budgets, with all that waits; one alone always does.
    func hasRoom(for size: Int) -> Bool {
        let waiting = backlog.budgetedByteCount
        guard waiting > 0 else { return true }
        // What is held leaves others a page, so that they get on.
        let room = max(limits.backlogBytesMax - heldBytes, pageBytesMax)
        return waiting + size <= room && shard.budget.hasRoom(for: size)
    }

    /// Bytes that wait for its socket, in the backlog and held.
    var waitingBytes: Int { backlog.budgetedByteCount + heldBytes }

    private func hasRoomWithHeld(for size: Int) -> Bool {
        let waiting = waitingBytes
        return waiting == 0
            || waiting + size <= limits.backlogBytesMax && shard.budget.hasRoom(for: size)
    }

    private var pageBytesMax: Int { min(limits.pageBytesMax, limits.backlogBytesMax) }
    /// Bytes in the backlog up to which it is refilled.
    var refillBytesMax: Int { min(Self.refillBytesMax, pageBytesMax) }
    /// Whether the backlog is short enough to be refilled.
    var hasRoomForPage: Bool { backlog.byteCount < refillBytesMax }
    /// Whether the backlog is so short that what is put there goes out as soon as the socket takes
    /// it.
    var isSending: Bool {
        backlog.budgetedByteCount < min(Self.sendingBytesMax, limits.backlogBytesMax / 4)
    }

    /// Lets subscriptions give way until so many bytes more fit: of this session those over which
    /// it is over its budget, and then the largest sessions of the loop.
    private func makeRoom(for size: Int) {
        guard !hasRoomWithHeld(for: size) else { return }
        if waitingBytes + size > limits.backlogBytesMax {
            giveWay { hasRoomWithHeld(for: size) }
        }
        if !shard.budget.hasRoom(for: size) { shard.budget.relieve() }
    }

    /// Lets subscriptions give way, the one with the most bytes waiting first, until it is enough.
    func giveWay(until isEnough: () -> Bool) {
        let hungry = subscriptions.filter { $0.queuedBytes > 0 }
            .sorted { $0.queuedBytes > $1.queuedBytes }
        for subscription in hungry {
            giveWay(subscription, until: isEnough)
            if isEnough() { return }
        }
    }

    /// Lets go what waits for a subscription, by its policy in each topic.
    ///
    /// What waits in the backlog of topics that hold their events stays: it is not more than a
    /// page.
    private func giveWay(_ subscription: Subscription, until isEnough: () -> Bool) {
        var isDisconnecting = false
        if subscription.waitingBytes > 0 {
            backlog.drop(
                where: { other, feed in
                    guard other === subscription else { return false }
                    let policy = policy(of: subscription, in: feed)
                    isDisconnecting = isDisconnecting || policy.isDisconnecting
                    return !policy.isHolding
                }, fallBack: fallBack)
        }
        for all in [false, true] where !isEnough() && subscription.heldBytes > 0 {
            for reader in subscription.holders {
                let policy = policy(of: subscription, in: reader.feed)
                isDisconnecting = isDisconnecting || policy.isDisconnecting
                if policy.isHolding {
                    changeHeld(of: reader) { $0.dropOldest(all: all) }
                } else {
                    fallBack(subscription, in: reader.feed, to: reader.cursor)
                }
            }
        }
        if isDisconnecting { isOverflowed = true }
        useCredit(of: subscription)
        tellOwed(by: subscription)
        shard.markDirty(self)
    }

    /// The subscription has consumed up to here only, and reads the rest from the log.
    private func fallBack(_ subscription: Subscription, in feed: TopicFeed, to cursor: Offset) {
        let reader = place(of: subscription, in: feed, at: cursor)
        reader.cursor = cursor
        if reader.standing != .replaying { startReplaying(reader) }
    }

    /// The subscription's reader of the topic, or one that is not placed, for who is live there.
    func place(of subscription: Subscription, in feed: TopicFeed, at cursor: Offset) -> TopicReader
    {
        subscription.reader(of: feed)
            ?? TopicReader(feed: feed, subscription: subscription, cursor: cursor)
    }

    // MARK: Who there is

    func add(_ subscription: Subscription) { subscriptions.append(subscription) }

    /// Takes the subscription out; nothing of it waits any more, but for a message that has begun.
    func remove(_ subscription: Subscription) {
        if subscription.waitingBytes > 0 {
            backlog.drop(where: { one, _ in one === subscription })
        }
        for reader in subscription.readers.values { leave(reader) }
        subscriptions.removeAll { $0 === subscription }
        if subscription.known.isOwing { owing.removeAll { $0 === subscription } }
        endWalk(of: subscription)
    }

    func beginWalk(of subscription: Subscription) { walking.append(subscription) }

    func endWalk(of subscription: Subscription) {
        guard subscription.walk != nil else { return }
        subscription.walk = nil
        walking.removeAll { $0 === subscription }
    }

    /// All subscriptions end: nothing of them waits any more, as with each alone, but in one pass.
    func dropBacklogs() { backlog.drop(where: { _, _ in true }) }

    /// Drops what waits of a topic for a subscription; gives the offset that it had before.
    func dropBacklog(of subscription: Subscription, in feed: TopicFeed) -> Offset? {
        guard subscription.waitingBytes > 0, feed.waitingCount > 0 else { return nil }
        var cursor: Offset?
        backlog.drop(where: { $0 === subscription && $1 === feed }) { cursor = $2 }
        useCredit(of: subscription)
        return cursor
    }

    /// Whether the session is to end, as a subscription whose policy is `disconnect` was over the
    /// budget; told once.
    package func takeOverflow() -> Bool {
        defer { isOverflowed = false }
        return isOverflowed
    }

    /// The session is over: nothing waits any more, and nothing holds anything alive.
    func close() {
        backlog.removeAll()
        turns = RefillQueue()
        output = nil
    }
}

/// The connection behind a subscriber.
package protocol SubscriberOutput: AnyObject {
    /// Something waits in the backlog, or may be fetched, or the session is to end
    /// (`Subscriber.takeOverflow`): move it to the socket as far as that takes it.
    func flush()
}
