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
    /// Subscriptions that have not reached all their topics.
    private var walking: [Subscription] = []
    /// How many topics may replay while a walk goes on.
    private static let walkReadersMax = 32

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

    /// Events that the loop fans out now, behind `head`, for a subscription that is live there.
    func deliver(
        _ events: ArraySlice<SharedEvent>, of feed: TopicFeed, behind head: Offset,
        to subscription: Subscription
    ) {
        var cursor = head
        for event in events {
            guard accept(event, of: feed, behind: cursor, for: subscription) else { return }
            cursor = event.offset
        }
    }

    /// Events that the loop fans out now, for a reader that may have them already.
    func deliver(_ events: ArraySlice<SharedEvent>, to reader: TopicReader) {
        for event in events where event.offset > reader.cursor {
            guard accept(event, for: reader) else { return }
        }
        if reader.cursor <= reader.feed.head { reader.subscription.remove(reader) }
    }

    /// As below, for who has a place of his own in the topic.
    private func accept(_ event: SharedEvent, for reader: TopicReader) -> Bool {
        guard accept(event, of: reader.feed, behind: reader.cursor, for: reader.subscription) else {
            return false
        }
        reader.cursor = event.offset
        return true
    }

    /// Puts an event into the backlog.
    ///
    /// - Returns: `false` if the subscription has fallen back in this topic, and gets it later.
    private func accept(
        _ event: SharedEvent, of feed: TopicFeed, behind cursor: Offset,
        for subscription: Subscription
    ) -> Bool {
        precondition(
            event.offset == cursor + 1,
            "bug: \(feed.topic) offset \(event.offset) delivered after \(cursor)")
        let bytes = event.bytes(in: encoding)
        let own = ownBytes?(event, subscription) ?? []
        while !hasRoom(for: own.count + bytes.count) {
            // One event that has begun, or is alone, always fits.
            guard let hungriest = subscriptions.max(by: { $0.waitingBytes < $1.waitingBytes }),
                hungriest.waitingBytes > 0
            else { break }
            makeRoom(for: own.count + bytes.count, in: hungriest)
            if let reader = subscription.reader(of: feed), reader.cursor < cursor { return false }
        }
        backlog.append(bytes, own: own, of: subscription, in: feed, before: cursor)
        shard.markDirty(self)
        return true
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
            where: { $0 === subscription && !$1.isEphemeral }, fallBack: fallBack)
        if !hasRoom(for: size) {
            backlog.dropOldest(
                max(size, subscription.waitingBytes / 2), of: subscription,
                told: { encoding.notice(gap(of: $0, $1, .overflow)) }, fallBack: fallBack)
        }
        if !hasRoom(for: size) {
            backlog.drop(where: { one, _ in one === subscription }, fallBack: fallBack)
        }
        tellOwed(by: subscription)
        shard.markDirty(self)
    }

    /// The subscription has consumed up to here only, and gets the rest later, or is told that it
    /// does not.
    private func fallBack(_ subscription: Subscription, in feed: TopicFeed, to cursor: Offset) {
        let known = subscription.reader(of: feed)
        known?.cursor = cursor
        if known?.isReplaying == true { return }
        let reader =
            known ?? TopicReader(feed: feed, subscription: subscription, cursor: cursor)
        reader.gapReason = .overflow
        startReplaying(reader)
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
        if reader.cursor == 0 { reader.subscription.toldEmpty.insert(feed.topic) }
        if reason == .recreated { reader.subscription.ends.beginTold(feed.topic) }
        return true
    }

    /// Tells what the subscription owes, now or in its turn.
    func tellOwed(by subscription: Subscription) {
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
        let isLive = subscription.isLive
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
        let bytes = encoding.notice(gap(of: feed, reader.cursor + 1...feed.head, reader.gapReason))
        guard hasRoom(for: bytes.count) else { return false }
        backlog.append(bytes, of: reader.subscription, in: feed, before: reader.cursor)
        reader.cursor = feed.head
        shard.markDirty(self)
        return true
    }

    private func gap(
        of feed: TopicFeed, _ span: ClosedRange<Offset>, _ reason: GapReason
    ) -> Notice {
        .gap(
            topic: feed.topic, epoch: feed.epoch, from: span.lowerBound, to: span.upperBound,
            reason: reason)
    }

    /// Makes the subscription live in the topic if its cursor has reached the head.
    ///
    /// Otherwise the reader is its place there, and replays. Tells what is to be told before.
    func settle(_ reader: TopicReader) {
        if tellReset(reader), reader.cursor >= reader.feed.head || tellLost(reader) {
            becomeLive(reader)
        } else if !reader.isReplaying {
            startReplaying(reader)
        }
    }

    private func startReplaying(_ reader: TopicReader) {
        reader.isAhead = false
        if !isPlaced(reader) { reader.subscription.add(reader) }
        if !reader.isSilent { reader.subscription.replayingCount += 1 }
        replays.began(reader)
    }

    private func becomeLive(_ reader: TopicReader) {
        if reader.isReplaying { stopReplaying(reader) }
        reader.isSilent = reader.feed.isEphemeral
        reader.gapReason = .ephemeral
        reader.isAhead = reader.cursor > reader.feed.head
        switch (reader.isAhead, isPlaced(reader)) {
        case (true, false): reader.subscription.add(reader)
        case (false, true): leave(reader)
        case (true, true), (false, false): break
        }
    }

    /// A reader that replayed has come to the head.
    private func caughtUp(_ reader: TopicReader) {
        becomeLive(reader)
        tellOwed(by: reader.subscription)
    }

    private func stopReplaying(_ reader: TopicReader) {
        if !reader.isSilent { reader.subscription.replayingCount -= 1 }
        replays.ended(reader)
    }

    /// The subscription has no place of its own in the topic any more.
    func leave(_ reader: TopicReader) {
        if reader.isReplaying { stopReplaying(reader) }
        reader.subscription.remove(reader)
        shard.readerLeft(reader.feed)
    }

    private func isPlaced(_ reader: TopicReader) -> Bool {
        reader.subscription.reader(of: reader.feed) === reader
    }

    /// Something has to be fetched, or told, before the subscriber is live everywhere.
    package var isReplaying: Bool { !replays.isEmpty || !owing.isEmpty || !walking.isEmpty }

    /// Refills the backlog: with notices that are owed, and for replaying topics from memory at
    /// once, from the log through the shard's reads.
    ///
    /// To be called when the backlog has room and the socket takes bytes, so that the pace is the
    /// socket's.
    package func refill() {
        defer { walkOn() }
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
                caughtUp(reader)
            } else if feed.isEphemeral {
                guard tellLost(reader) else { return }
                replays.nextServed()
                caughtUp(reader)
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

    /// Walks reach more topics when few are left to replay, so that they are as fast as the socket.
    private func walkOn() {
        guard hasRoomForPage, replays.replayingCount < Self.walkReadersMax,
            let subscription = walking.first(where: { $0.walk?.isAsking == false })
        else { return }
        subscription.walk?.isAsking = true
        subscription.walk?.source.proceed(subscription, behind: subscription.walk?.reached)
    }

    /// - Returns: `false` if the backlog has no room for more.
    private func refill(_ reader: TopicReader, from events: some Sequence<SharedEvent>) -> Bool {
        for event in events {
            guard hasRoomForPage, hasRoom(for: event, of: reader) else {
                replays.enqueue(reader)
                return false
            }
            guard accept(event, for: reader) else { return false }
        }
        caughtUp(reader)
        return true
    }

    private var hasRoomForPage: Bool {
        backlog.byteCount
            < min(Self.refillBytesMax, limits.pageBytesMax, limits.backlogBytesMax)
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
        guard isPlaced(reader), reader.cursor == after, reader.owedReset == nil else {
            return
        }
        let first = events.first?.offset ?? page.position.latest + 1
        if first > after + 1 { tellGap(reader, upTo: first - 1, purgedBelow: page.purgedBelow) }
        for event in events {
            guard hasRoom(for: event, of: reader), accept(event, for: reader) else { break }
        }
        if reader.isReplaying, reader.cursor >= reader.feed.head { caughtUp(reader) }
    }

    /// Two reasons are two gaps: purged below, retention above (doc:Session).
    private func tellGap(_ reader: TopicReader, upTo last: Offset, purgedBelow: Offset) {
        let split = min(max(purgedBelow - 1, reader.cursor), last)
        for (end, reason) in [(split, GapReason.purged), (last, .retention)]
        where end > reader.cursor {
            let feed = reader.feed
            let notice = encoding.notice(gap(of: feed, reader.cursor + 1...end, reason))
            backlog.append(notice, of: reader.subscription, in: feed, before: reader.cursor)
            reader.cursor = end
        }
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
        if subscription.isOwing { owing.removeAll { $0 === subscription } }
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
        return cursor
    }

    /// The session is over: nothing waits any more, and nothing holds anything alive.
    func close() {
        backlog.removeAll()
        replays = ReplayQueue()
        output = nil
    }
}

/// The connection behind a subscriber.
package protocol SubscriberOutput: AnyObject {
    /// Something waits in the backlog, or may be fetched: move it to the socket as far as that
    /// takes it.
    func flush()
}
