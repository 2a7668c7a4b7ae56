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

    /// In which it gets events and notices.
    let encoding: Encoding
    /// Makes the bytes that go before an event's shared ones; `nil`: none.
    private let ownBytes: ((SharedEvent, Subscription) -> [UInt8])?
    private let limits: Limits
    private var replays = ReplayQueue()
    /// Subscriptions that have something to tell for which the budget had no room, in turn.
    private var owing = Deque<Subscription>()

    package init(
        output: any SubscriberOutput, shard: FanOutShard, limits: Limits,
        encoding: Encoding, ownBytes: ((SharedEvent, Subscription) -> [UInt8])? = nil
    ) {
        self.output = output
        self.shard = shard
        self.limits = limits
        self.encoding = encoding
        self.ownBytes = ownBytes
    }

    // MARK: What is put into the backlog

    /// A reply or another message that belongs to no event stream.
    ///
    /// Outside the budget: the connection bounds how many wait (`Backlog.controlByteCount`).
    package func sendControl(_ bytes: [UInt8]) {
        backlog.append(control: bytes)
        shard.markDirty(self)
    }

    /// Events that the loop fans out now, for a live reader.
    func deliver(_ events: ArraySlice<SharedEvent>, to reader: TopicReader) {
        for event in events where event.offset > reader.cursor {
            accept(event, for: reader)
            if !reader.isLive { return }
        }
    }

    /// Puts an event into the backlog; over the budget, the hungriest subscription goes back to the
    /// log.
    private func accept(_ event: SharedEvent, for reader: TopicReader) {
        precondition(
            event.offset == reader.cursor + 1,
            "bug: \(reader.feed.topic) offset \(event.offset) delivered after \(reader.cursor)")
        let bytes = event.bytes(in: encoding)
        let own = ownBytes?(event, reader.subscription) ?? []
        while !hasRoom(for: own.count + bytes.count) {
            // One event that has begun, or is alone, always fits.
            guard let hungriest = subscriptions.max(by: { $0.waitingBytes < $1.waitingBytes }),
                hungriest.waitingBytes > 0
            else { break }
            makeRoom(for: own.count + bytes.count, in: hungriest)
            if reader.cursor + 1 < event.offset { return }
        }
        backlog.append(bytes, own: own, of: reader, before: reader.cursor)
        reader.cursor = event.offset
        shard.markDirty(self)
    }

    private func hasRoom(for size: Int) -> Bool {
        backlog.hasRoom(for: size, bytesMax: limits.backlogBytesMax)
    }

    /// Whether an event fits without dropping anything.
    private func hasRoom(for event: SharedEvent, of reader: TopicReader) -> Bool {
        let own = ownBytes?(event, reader.subscription).count ?? 0
        return hasRoom(for: own + event.bytes(in: encoding).count)
    }

    /// Drops what waits for a subscription and lets it replay (doc:Subscriptions, policy `replay`);
    /// of ephemeral topics, which cannot replay, the oldest half, or all if that is not enough.
    private func makeRoom(for size: Int, in subscription: Subscription) {
        backlog.drop(
            where: { $0.subscription === subscription && !$0.feed.isEphemeral }, fallBack: fallBack)
        if !hasRoom(for: size) {
            backlog.dropOldest(
                max(size, subscription.waitingBytes / 2),
                where: { $0.subscription === subscription },
                told: { encoding.notice(gap(of: $0, $1, .overflow)) }, fallBack: fallBack)
        }
        if !hasRoom(for: size) {
            backlog.drop(where: { $0.subscription === subscription }, fallBack: fallBack)
        }
        tellOwed(by: subscription)
        shard.markDirty(self)
    }

    /// The reader has consumed up to here only, and gets the rest later, or is told that it does
    /// not.
    private func fallBack(_ reader: TopicReader, to cursor: Offset) {
        reader.cursor = cursor
        guard reader.isLive else { return }
        reader.gapReason = .overflow
        startReplaying(reader)
    }

    /// Drops what waits for one reader, which falls back to what it had before.
    private func dropBacklog(of reader: TopicReader) {
        guard reader.subscription.waitingBytes > 0 else { return }
        backlog.drop(where: { $0 === reader }) { $0.cursor = $1 }
    }

    // MARK: What is told beside events

    // Notices count into the budget. One that does not fit is not kept: it is made of the state of
    // its reader or subscription when there is room.

    /// - Returns: `false` if the budget has no room; then the notice is owed.
    private func tell(_ notice: Notice) -> Bool {
        let bytes = encoding.notice(notice)
        guard hasRoom(for: bytes.count) else { return false }
        backlog.append(notice: bytes)
        shard.markDirty(self)
        return true
    }

    /// Tells the reset that comes before anything else of the reader's topic.
    ///
    /// - Returns: `false` if it is still owed.
    private func tellReset(_ reader: TopicReader) -> Bool {
        guard let reason = reader.owedReset else { return true }
        let feed = reader.feed
        let cursor = Cursor(epoch: feed.epoch, offset: reader.cursor)
        guard tell(.reset(topic: feed.topic, cursor: cursor, reason: reason)) else { return false }
        reader.owedReset = nil
        if reason == .recreated { reader.subscription.ends.beginTold(feed.topic) }
        return true
    }

    /// Tells what the subscription owes, now or in its turn.
    private func tellOwed(by subscription: Subscription) {
        guard !subscription.isOwing, !tellAll(owedBy: subscription) else { return }
        subscription.isOwing = true
        owing.append(subscription)
        shard.markDirty(self)
    }

    /// Ends of topics first, then whether it is live.
    ///
    /// - Returns: `false` if something is still owed.
    private func tellAll(owedBy subscription: Subscription) -> Bool {
        while let topic = subscription.ends.next() {
            guard tell(.reset(topic: topic, cursor: nil, reason: .deleted)) else { return false }
            subscription.ends.nextTold()
        }
        let isLive = subscription.replayingCount == 0
        guard subscription.hasJoined, isLive == subscription.owesLive else { return true }
        let id = subscription.id
        let isTold =
            isLive
            ? tell(.live(subscription: id))
            : tell(.lagging(subscription: id, behind: subscription.behind))
        if isTold { subscription.owesLive = !isLive }
        return isTold
    }

    // MARK: Live and replaying

    /// Tells, of an ephemeral topic, that what is up to the head will not come.
    ///
    /// - Returns: `false` if the budget has no room, or if there is a log to read it from.
    private func tellLost(_ reader: TopicReader) -> Bool {
        let feed = reader.feed
        guard feed.isEphemeral else { return false }
        let span = reader.cursor + 1...feed.head
        let bytes = encoding.notice(gap(of: reader, span, reader.gapReason))
        guard hasRoom(for: bytes.count) else { return false }
        backlog.append(bytes, of: reader, before: reader.cursor)
        reader.cursor = feed.head
        shard.markDirty(self)
        return true
    }

    private func gap(
        of reader: TopicReader, _ span: ClosedRange<Offset>, _ reason: GapReason
    ) -> Notice {
        .gap(
            topic: reader.feed.topic, epoch: reader.feed.epoch, from: span.lowerBound,
            to: span.upperBound, reason: reason)
    }

    /// Whether the reader is where it is to be told what comes; tells what is to be told before.
    private func isCaughtUp(_ reader: TopicReader) -> Bool {
        tellReset(reader) && (reader.cursor >= reader.feed.head || tellLost(reader))
    }

    private func startReplaying(_ reader: TopicReader) {
        reader.isLive = false
        if !reader.isSilent { reader.subscription.replayingCount += 1 }
        replays.began(reader)
    }

    private func becomeLive(_ reader: TopicReader) {
        stopReplaying(reader)
        reader.becameLive()
        tellOwed(by: reader.subscription)
    }

    private func stopReplaying(_ reader: TopicReader) {
        if !reader.isSilent { reader.subscription.replayingCount -= 1 }
        replays.ended(reader)
    }

    /// Something has to be fetched, or told, before the subscriber is live everywhere.
    package var isReplaying: Bool { !replays.isEmpty || !owing.isEmpty }

    /// Refills the backlog: with notices that are owed, and for replaying topics from memory at
    /// once, from the log through the shard's reads.
    ///
    /// To be called when the backlog has room and the socket takes bytes, so that the pace is the
    /// socket's.
    package func refill() {
        while hasRoomForPage, let subscription = owing.first {
            guard tellAll(owedBy: subscription) else { return }
            owing.removeFirst().isOwing = false
        }
        while hasRoomForPage, let reader = replays.next() {
            let feed = reader.feed
            if !tellReset(reader) {
                return
            } else if reader.cursor >= feed.head {
                replays.nextServed()
                becomeLive(reader)
            } else if feed.isEphemeral {
                guard tellLost(reader) else { return }
                replays.nextServed()
                becomeLive(reader)
            } else if let events = feed.recentEvents(after: reader.cursor) {
                replays.nextServed()
                guard refill(reader, from: events) else { return }
            } else if replays.mayRead {
                replays.nextServed()
                replays.readBegan(for: reader)
                shard.read(for: reader)
            } else {
                return
            }
        }
    }

    /// - Returns: `false` if the backlog has no room for more.
    private func refill(_ reader: TopicReader, from events: some Sequence<SharedEvent>) -> Bool {
        for event in events {
            guard hasRoomForPage, hasRoom(for: event, of: reader) else {
                replays.enqueue(reader)
                return false
            }
            accept(event, for: reader)
        }
        becomeLive(reader)
        return true
    }

    private var hasRoomForPage: Bool {
        backlog.byteCount < min(limits.pageBytesMax, limits.backlogBytesMax)
    }

    private func isFollowing(_ reader: TopicReader) -> Bool {
        reader.subscription.reader(of: reader.feed.topic) === reader
    }

    /// The read for the reader is over.
    func readEnded(for reader: TopicReader) {
        replays.readEnded(for: reader)
        shard.markDirty(self)
    }

    /// A page behind `after` that was read for the reader.
    func pageArrived(
        _ page: ReplayPage, _ events: [SharedEvent], after: Offset, for reader: TopicReader
    ) {
        // It may have fallen back meanwhile, below what the page is about.
        guard isFollowing(reader), reader.cursor == after, reader.owedReset == nil else {
            return
        }
        let first = events.first?.offset ?? page.position.latest + 1
        if first > after + 1 { tellGap(reader, upTo: first - 1, purgedBelow: page.purgedBelow) }
        for event in events {
            guard hasRoom(for: event, of: reader) else { break }
            accept(event, for: reader)
        }
        if reader.cursor >= reader.feed.head, !reader.isLive { becomeLive(reader) }
    }

    /// Two reasons are two gaps: purged below, retention above (doc:Session).
    private func tellGap(_ reader: TopicReader, upTo last: Offset, purgedBelow: Offset) {
        let split = min(max(purgedBelow - 1, reader.cursor), last)
        for (end, reason) in [(split, GapReason.purged), (last, .retention)]
        where end > reader.cursor {
            let notice = encoding.notice(gap(of: reader, reader.cursor + 1...end, reason))
            backlog.append(notice, of: reader, before: reader.cursor)
            reader.cursor = end
        }
    }

    // MARK: Subscribing

    func add(_ subscription: Subscription) { subscriptions.append(subscription) }

    /// Begins with each topic at its start; `subscribed` is in the backlog already.
    func join(_ subscription: Subscription, _ starts: [ReaderStart], gone: [TopicName]) {
        subscription.hasJoined = true
        for topic in gone { subscription.ends.ended(topic) }
        for start in starts { follow(start, subscription: subscription, isNew: false) }
        tellOwed(by: subscription)
        shard.markDirty(self)
    }

    /// Begins with a topic that came into being after the subscription.
    func joinNew(_ feed: TopicFeed, subscription: Subscription) {
        guard subscription.reader(of: feed.topic) == nil else { return }
        let isAgain = subscription.ends.began(feed.topic)
        let start = ReaderStart(feed: feed, cursor: 0, reset: isAgain ? .recreated : nil)
        follow(start, subscription: subscription, isNew: true)
        shard.markDirty(self)
    }

    private func follow(_ start: ReaderStart, subscription: Subscription, isNew: Bool) {
        let feed = start.feed
        // The log may have begun another incarnation since the start was fixed.
        let offset = min(start.cursor, feed.fork(since: start.epoch) ?? start.cursor)
        let reader = TopicReader(
            feed: feed, subscription: subscription, cursor: offset,
            reset: start.reset ?? (offset < start.cursor ? .restored : nil), isNew: isNew)
        subscription.add(reader)
        if isCaughtUp(reader) {
            reader.becameLive()
        } else {
            startReplaying(reader)
        }
    }

    /// Takes the subscription out; nothing of it waits any more, but for a message that has begun.
    func remove(_ subscription: Subscription) {
        if subscription.waitingBytes > 0 {
            backlog.drop(where: { $0.subscription === subscription }) { _, _ in }
        }
        for reader in subscription.readers.values { leave(reader) }
        subscriptions.removeAll { $0 === subscription }
        if subscription.isOwing { owing.removeAll { $0 === subscription } }
    }

    /// All subscriptions end: nothing of them waits any more, as with each alone, but in one pass.
    func dropBacklogs() { backlog.drop(where: { _ in true }) { _, _ in } }

    /// The session is over: nothing waits any more, and nothing holds anything alive.
    func close() {
        backlog = Backlog()
        replays = ReplayQueue()
        output = nil
    }

    private func leave(_ reader: TopicReader) {
        if !reader.isLive { stopReplaying(reader) }
        reader.subscription.remove(reader)
    }

    // MARK: What happens to a topic

    /// The topic is gone: what waits of it, too; the subscription stays.
    func topicDeleted(_ reader: TopicReader) {
        dropBacklog(of: reader)
        let subscription = reader.subscription
        leave(reader)
        if !reader.isUnheard { subscription.ends.ended(reader.feed.topic) }
        tellOwed(by: subscription)
    }

    /// Retention was faster than the fan-out: a page will tell the gap; or an ephemeral topic has
    /// lost something.
    func topicOvertaken(_ reader: TopicReader) {
        guard reader.cursor < reader.feed.head, !tellLost(reader) else { return }
        startReplaying(reader)
        tellOwed(by: reader.subscription)
        shard.markDirty(self)
    }

    /// The topic goes on behind `fork` in another incarnation.
    ///
    /// What was consumed above it is not in the log.
    func topicRestarted(_ reader: TopicReader, fork: Offset) {
        dropBacklog(of: reader)
        if reader.cursor > fork {
            reader.cursor = fork
            // One that is owed already says where the client stands, and why.
            if reader.owedReset == nil { reader.owedReset = .restored }
        }
        let isLive = isCaughtUp(reader)
        if reader.isLive, !isLive { startReplaying(reader) }
        if !reader.isLive, isLive { becomeLive(reader) }
        tellOwed(by: reader.subscription)
        shard.markDirty(self)
    }
}

/// Where a subscription begins in a topic.
package struct ReaderStart {
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
