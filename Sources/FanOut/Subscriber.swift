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
    package var backlog = Backlog()
    package private(set) var subscriptions: [Subscription] = []
    /// Told when something waits, once a loop turn; `nil` once the session is over.
    package private(set) var output: (any SubscriberOutput)?
    let shard: FanOutShard
    /// It is in the shard's list of those to flush.
    var isDirty = false

    private let encode: (Notice) -> EncodedMessage
    private let limits: Limits
    /// Pages under way; bounded, so that what arrives fits the budget.
    private var readCount = 0
    /// Followers that replay, over all subscriptions, new topics' included.
    private var replayingCount = 0
    /// Those of them that are not being read for, in turn.
    ///
    /// A topic that grows faster than the socket takes it must not starve the others. It may hold
    /// some that do not replay any more.
    private var queue = Deque<Follower>()
    private static let readsMax = 2

    package init(
        output: any SubscriberOutput, shard: FanOutShard, limits: Limits,
        encode: @escaping (Notice) -> EncodedMessage
    ) {
        self.output = output
        self.shard = shard
        self.limits = limits
        self.encode = encode
    }

    // MARK: What is put into the backlog

    /// A reply or another message that belongs to no event stream.
    ///
    /// Outside the budget: the connection bounds how many wait (`Backlog.controlByteCount`).
    package func sendControl(_ message: EncodedMessage) {
        backlog.append(message, of: nil, before: 0)
        shard.markDirty(self)
    }

    /// Events that the loop fans out now, for a live follower.
    func deliver(_ events: ArraySlice<EncodedMessage>, to follower: Follower) {
        for event in events where event.offset > follower.cursor {
            accept(event, for: follower)
            if !follower.isLive { return }
        }
    }

    /// Puts an event into the backlog; over the budget, the hungriest subscription goes back to the
    /// log.
    private func accept(_ event: EncodedMessage, for follower: Follower) {
        precondition(
            event.offset == follower.cursor + 1,
            "bug: \(follower.feed.topic) offset \(event.offset) delivered after \(follower.cursor)")
        while !hasRoom(for: event) {
            // One event that has begun, or is alone, always fits.
            guard let hungriest = subscriptions.max(by: { $0.waitingBytes < $1.waitingBytes }),
                hungriest.waitingBytes > 0
            else { break }
            dropBacklog(of: hungriest)
            if follower.cursor + 1 < event.offset { return }
        }
        backlog.append(event, of: follower, before: follower.cursor)
        follower.cursor = event.offset
        shard.markDirty(self)
    }

    private func hasRoom(for event: EncodedMessage) -> Bool {
        backlog.hasRoom(for: event, bytesMax: limits.backlogBytesMax)
    }

    /// Drops what waits for a subscription and lets it replay (DESIGN 4, policy `replay`).
    private func dropBacklog(of subscription: Subscription) {
        backlog.drop(where: { $0.subscription === subscription }) { follower, cursor in
            follower.cursor = cursor
            if follower.isLive { startReplaying(follower) }
        }
        tellLagging(subscription)
        shard.markDirty(self)
    }

    private func tell(_ notice: Notice) {
        backlog.append(encode(notice), of: nil, before: 0)
        shard.markDirty(self)
    }

    // MARK: Live and replaying

    private func startReplaying(_ follower: Follower) {
        follower.isLive = false
        replayingCount += 1
        if !follower.isSilent { follower.subscription.replayingCount += 1 }
        enqueue(follower)
    }

    private func becomeLive(_ follower: Follower) {
        stopReplaying(follower)
        follower.isLive = true
        follower.isSilent = false
        tellLive(follower.subscription)
    }

    private func stopReplaying(_ follower: Follower) {
        replayingCount -= 1
        if !follower.isSilent { follower.subscription.replayingCount -= 1 }
    }

    private func tellLagging(_ subscription: Subscription) {
        guard !subscription.owesLive, subscription.replayingCount > 0 else { return }
        subscription.owesLive = true
        tell(.lagging(subscription: subscription.id, behind: subscription.behind))
    }

    private func tellLive(_ subscription: Subscription) {
        guard subscription.hasJoined, subscription.owesLive, subscription.replayingCount == 0 else {
            return
        }
        subscription.owesLive = false
        tell(.live(subscription: subscription.id))
    }

    /// Something has to be fetched before the subscriber is live everywhere.
    package var isReplaying: Bool { replayingCount > 0 }

    private func enqueue(_ follower: Follower) {
        guard !follower.isQueued, !follower.isReading else { return }
        follower.isQueued = true
        queue.append(follower)
    }

    private func dequeue() { queue.removeFirst().isQueued = false }

    /// Refills the backlog for replaying topics: from memory at once, from the log through the
    /// shard's reads.
    ///
    /// To be called when the backlog has room and the socket takes bytes, so that the pace is the
    /// socket's.
    package func refill() {
        while hasRoomForPage, let follower = queue.first {
            let feed = follower.feed
            if !isFollowing(follower) || follower.isLive {
                dequeue()
            } else if follower.cursor >= feed.head {
                dequeue()
                becomeLive(follower)
            } else if let events = feed.recentEvents(after: follower.cursor) {
                dequeue()
                guard refill(follower, from: events) else { return }
            } else if readCount < Self.readsMax {
                dequeue()
                readCount += 1
                follower.isReading = true
                shard.read(for: follower)
            } else {
                return
            }
        }
    }

    /// - Returns: `false` if the backlog has no room for more.
    private func refill(_ follower: Follower, from events: some Sequence<EncodedMessage>) -> Bool {
        for event in events {
            guard hasRoomForPage, hasRoom(for: event) else {
                enqueue(follower)
                return false
            }
            accept(event, for: follower)
        }
        becomeLive(follower)
        return true
    }

    private var hasRoomForPage: Bool {
        backlog.byteCount < min(limits.pageBytesMax, limits.backlogBytesMax)
    }

    private func isFollowing(_ follower: Follower) -> Bool {
        follower.subscription.follower(of: follower.feed.topic) === follower
    }

    /// The read for the follower is over.
    func readEnded(for follower: Follower) {
        readCount -= 1
        follower.isReading = false
        if !follower.isLive, isFollowing(follower) { enqueue(follower) }
        shard.markDirty(self)
    }

    /// A page behind `after` that was read for the follower.
    func pageArrived(_ page: ReplayPage, after: Offset, for follower: Follower) {
        // It may have fallen back meanwhile, below what the page is about.
        guard isFollowing(follower), follower.cursor == after else { return }
        let first = page.events.first?.offset ?? page.position.latest + 1
        if first > after + 1 { tellGap(follower, upTo: first - 1, purgedBelow: page.purgedBelow) }
        for event in page.events {
            guard hasRoom(for: event) else { break }
            accept(event, for: follower)
        }
        if follower.cursor >= follower.feed.head, !follower.isLive { becomeLive(follower) }
    }

    /// Two reasons are two gaps: purged below, retention above (PROTOCOL 2).
    private func tellGap(_ follower: Follower, upTo last: Offset, purgedBelow: Offset) {
        let split = min(max(purgedBelow - 1, follower.cursor), last)
        for (end, reason) in [(split, GapReason.purged), (last, .retention)]
        where end > follower.cursor {
            let gap = Notice.gap(
                topic: follower.feed.topic, epoch: follower.feed.epoch, from: follower.cursor + 1,
                to: end, reason: reason)
            backlog.append(encode(gap), of: follower, before: follower.cursor)
            follower.cursor = end
        }
    }

    // MARK: Subscribing

    func add(_ subscription: Subscription) { subscriptions.append(subscription) }

    /// Begins with each topic at its start; `subscribed` is in the backlog already.
    func join(_ subscription: Subscription, _ starts: [FollowerStart], gone: [TopicName]) {
        subscription.hasJoined = true
        for topic in gone {
            subscription.deletedTopics.insert(topic)
            tell(.reset(topic: topic, cursor: nil, reason: .deleted))
        }
        for start in starts { follow(start, subscription: subscription, isSilent: false) }
        tellLive(subscription)
        shard.markDirty(self)
    }

    /// Begins with a topic that came into being after the subscription.
    func joinNew(_ feed: TopicFeed, subscription: Subscription) {
        guard subscription.follower(of: feed.topic) == nil else { return }
        let wasDeleted = subscription.deletedTopics.remove(feed.topic) != nil
        let start = FollowerStart(
            feed: feed, cursor: 0, reset: wasDeleted ? .recreated : nil)
        follow(start, subscription: subscription, isSilent: true)
        shard.markDirty(self)
    }

    private func follow(_ start: FollowerStart, subscription: Subscription, isSilent: Bool) {
        let feed = start.feed
        // The log may have begun another incarnation since the start was fixed.
        let offset = min(start.cursor, feed.fork(since: start.epoch) ?? start.cursor)
        let follower = Follower(
            feed: feed, subscription: subscription, cursor: offset, isSilent: isSilent)
        subscription.add(follower)
        if let reason = start.reset ?? (offset < start.cursor ? .restored : nil) {
            let cursor = Cursor(epoch: feed.epoch, offset: offset)
            tell(.reset(topic: feed.topic, cursor: cursor, reason: reason))
        }
        if offset >= feed.head {
            follower.isLive = true
            follower.isSilent = false
        } else {
            startReplaying(follower)
        }
    }

    /// Takes the subscription out; nothing of it waits any more, but for a message that has begun.
    func remove(_ subscription: Subscription) {
        backlog.drop(where: { $0.subscription === subscription }) { _, _ in }
        for follower in subscription.followers.values { leave(follower) }
        subscriptions.removeAll { $0 === subscription }
    }

    /// The session is over: nothing waits any more, and nothing holds anything alive.
    func close() {
        backlog = Backlog()
        queue = []
        output = nil
    }

    private func leave(_ follower: Follower) {
        if !follower.isLive { stopReplaying(follower) }
        follower.subscription.remove(follower)
    }

    // MARK: What happens to a topic

    /// The topic is gone: what waits of it, too; the subscription stays.
    func topicDeleted(_ follower: Follower) {
        backlog.drop(where: { $0 === follower }) { _, _ in }
        let subscription = follower.subscription
        leave(follower)
        subscription.deletedTopics.insert(follower.feed.topic)
        tell(.reset(topic: follower.feed.topic, cursor: nil, reason: .deleted))
        tellLive(subscription)
    }

    /// Retention was faster than the fan-out: a page will tell the gap.
    func topicOvertaken(_ follower: Follower) {
        guard follower.cursor < follower.feed.head else { return }
        startReplaying(follower)
        tellLagging(follower.subscription)
        shard.markDirty(self)
    }

    /// The topic goes on behind `fork` in another incarnation.
    ///
    /// What was consumed above it is not in the log.
    func topicRestarted(_ follower: Follower, fork: Offset) {
        backlog.drop(where: { $0 === follower }) { $0.cursor = $1 }
        if follower.cursor > fork {
            follower.cursor = fork
            let cursor = Cursor(epoch: follower.feed.epoch, offset: fork)
            tell(.reset(topic: follower.feed.topic, cursor: cursor, reason: .restored))
        }
        let isLive = follower.cursor >= follower.feed.head
        if follower.isLive, !isLive { startReplaying(follower) }
        if !follower.isLive, isLive { becomeLive(follower) }
        tellLagging(follower.subscription)
        shard.markDirty(self)
    }
}

/// Where a subscription begins in a topic.
package struct FollowerStart {
    package let feed: TopicFeed
    /// The feed's epoch when the start was fixed; `cursor` is of this one.
    let epoch: Epoch
    /// The last offset consumed.
    package let cursor: Offset
    /// The client's own cursor was not valid any more, and this is told first.
    package let reset: ResetReason?

    package init(feed: TopicFeed, cursor: Offset, reset: ResetReason? = nil) {
        self.feed = feed
        epoch = feed.epoch
        self.cursor = cursor
        self.reset = reset
    }
}

/// The connection behind a subscriber.
package protocol SubscriberOutput: AnyObject {
    /// Something waits in the backlog, or may be fetched: move it to the socket as far as that
    /// takes it.
    func flush()
}
