internal import DequeModule
package import EventModel

/// One event loop's part of the fan-out: the topics that its subscribers follow, and who follows
/// them.
///
/// Confined to its loop. Events and joins come through one FIFO, so a reader that joins at the
/// head misses nothing.
package final class FanOutShard {
    private var feeds: [TopicName: TopicFeed] = [:]
    private var exactSubscriptions: [TopicName: [ObjectIdentifier: Subscription]] = [:]
    private var patternSubscriptions: [TopicPattern: [ObjectIdentifier: Subscription]] = [:]
    /// Topics that came into being and are to be followed before their subscriptions join them.
    private var awaited: [TopicName: [Subscription]] = [:]
    private var reads: [ReadKey: [TopicReader]] = [:]
    /// For whom something came since they were flushed last, in turn.
    private var dirty = Deque<Subscriber>()
    /// Those of them that were found to be replaying: live delivery goes first.
    private var catchingUp = Deque<Subscriber>()
    private var isFlushScheduled = false
    /// How many live subscribers are flushed between two looks at the clock.
    private static let flushesPerLook = 16
    /// Readers whose read failed: asked again at the next tick.
    private var stalled: [TopicReader] = []
    /// The feed of each event in memory, oldest first; for eviction.
    private var cacheOrder = EvictionOrder()
    private let limits: Limits
    private unowned let actor: any FanOutActor
    /// The time of the last tick.
    private var now: ContinuousClock.Instant
    /// So that a subscriber that comes back at once finds the topic followed.
    private static let idleFeedKept = Duration.seconds(60)

    private struct ReadKey: Hashable {
        let topic: TopicName
        let after: Offset
    }

    package init(limits: Limits, now: ContinuousClock.Instant, actor: any FanOutActor) {
        self.now = now
        self.limits = limits
        self.actor = actor
    }

    // MARK: Events of the log

    /// Committed events of a topic, behind those told before.
    package func appended(_ events: [Event], to topic: TopicName, epoch: Epoch) {
        guard feeds[topic] != nil else { return }
        appended(events.map { SharedEvent($0, of: topic, epoch: epoch) }, to: topic)
    }

    func appended(_ events: [SharedEvent], to topic: TopicName) {
        guard let feed = feeds[topic] else { return }
        let new = feed.advance(events)
        guard !new.isEmpty else { return }
        for reader in feed.readers where reader.isLive {
            reader.subscription.subscriber.deliver(new, to: reader)
        }
        if !feed.isEphemeral {
            cacheOrder.appended(new, to: feed, bytesMax: limits.recentEventsBytesMax)
        }
    }

    /// Topics that are new: subscriptions whose patterns match follow them from their first event.
    package func created(_ topics: [TopicName]) {
        var toFollow: [TopicName] = []
        for topic in topics {
            let subscriptions = subscriptions(matching: topic)
            guard !subscriptions.isEmpty else { continue }
            for subscription in subscriptions where !subscription.hasJoined {
                subscription.newTopics.append(topic)
            }
            let joined = subscriptions.filter(\.hasJoined)
            if !joined.isEmpty, awaitFeed(of: topic, for: joined) { toFollow.append(topic) }
        }
        if !toFollow.isEmpty { actor.follow(toFollow) }
    }

    /// - Returns: `true` if the topic has to be followed first.
    private func awaitFeed(of topic: TopicName, for subscriptions: [Subscription]) -> Bool {
        if let feed = feeds[topic] {
            for subscription in subscriptions {
                subscription.subscriber.joinNew(feed, subscription: subscription)
            }
            return false
        }
        awaited[topic, default: []].append(contentsOf: subscriptions)
        return true
    }

    /// The topics are followed from these positions on; what comes next in the FIFO is behind them.
    package func followed(_ positions: [TopicPosition]) {
        for position in positions {
            let feed = feeds[position.topic] ?? TopicFeed(position)
            if feeds.updateValue(feed, forKey: position.topic) == nil { feed.idleSince = now }
            for subscription in awaited.removeValue(forKey: position.topic) ?? [] {
                subscription.subscriber.joinNew(feed, subscription: subscription)
            }
        }
    }

    /// Topics that are still to be followed because an earlier try failed.
    package var topicsAwaited: [TopicName] { Array(awaited.keys) }

    /// The topic is gone.
    ///
    /// Its subscriptions stay, for one that comes back under the name.
    package func deleted(_ topic: TopicName) {
        awaited[topic] = nil
        for subscription in subscriptions(matching: topic) {
            subscription.newTopics.removeAll { $0 == topic }
        }
        guard let feed = feeds.removeValue(forKey: topic) else { return }
        cacheOrder.forget(bytes: feed.evictAll())
        for reader in feed.readers {
            reader.subscription.subscriber.topicDeleted(reader)
        }
    }

    /// Events below `earliest` are not to be read any more.
    ///
    /// Where that is beyond what was fanned out, the topic goes on there, and its live readers
    /// ask the log for what they will not get; of an ephemeral topic they are told at once.
    package func purged(_ topic: TopicName, earliest: Offset) {
        guard let feed = feeds[topic] else { return }
        cacheOrder.forget(bytes: feed.purge(below: earliest))
        guard feed.skip(to: earliest - 1) else { return }
        for reader in feed.readers where reader.isLive {
            reader.subscription.subscriber.topicOvertaken(reader)
        }
    }

    /// The topic goes on in another incarnation of the log, behind `fork`.
    package func restarted(_ position: TopicPosition, fork: Offset) {
        guard let feed = feeds[position.topic] else { return }
        cacheOrder.forget(bytes: feed.evictAll())
        feed.restart(position, fork: fork)
        for reader in feed.readers {
            reader.subscription.subscriber.topicRestarted(reader, fork: fork)
        }
    }

    // MARK: Subscriptions

    /// The topic's feed on this loop, if it is followed here; who asks has another minute to join
    /// it.
    package func feed(of topic: TopicName) -> TopicFeed? {
        let feed = feeds[topic]
        if feed?.idleSince != nil { feed?.idleSince = now }
        return feed
    }

    /// Makes the subscription known, so that topics which come into being from now on are not
    /// missed.
    package func register(_ subscription: Subscription) {
        subscription.subscriber.add(subscription)
        for pattern in subscription.patterns {
            if let name = pattern.exactName {
                exactSubscriptions[name, default: [:]][ObjectIdentifier(subscription)] =
                    subscription
            } else {
                patternSubscriptions[pattern, default: [:]][ObjectIdentifier(subscription)] =
                    subscription
            }
        }
    }

    /// Starts delivery; what the client is told before (`subscribed`) is in the backlog already.
    ///
    /// The feeds are those that `feed(of:)` gives now. A subscription that has been removed
    /// meanwhile is ignored. `gone` are topics that the client has a cursor of and that do not
    /// exist.
    package func join(
        _ subscription: Subscription, _ starts: [ReaderStart], gone: [TopicName] = []
    ) {
        guard isRegistered(subscription) else { return }
        for start in starts {
            let topic = start.feed.topic
            precondition(feeds[topic] === start.feed, "bug: joined \(topic), which is not followed")
        }
        subscription.subscriber.join(subscription, starts, gone: gone)
        let new = subscription.newTopics
        subscription.newTopics = []
        let toFollow = new.filter { topic in
            subscription.reader(of: topic) == nil && awaitFeed(of: topic, for: [subscription])
        }
        if !toFollow.isEmpty { actor.follow(toFollow) }
    }

    /// Ends a subscription; nothing of it is delivered any more.
    package func remove(_ subscription: Subscription) {
        let feeds = subscription.readers.values.map(\.feed)
        subscription.subscriber.remove(subscription)
        let id = ObjectIdentifier(subscription)
        for pattern in subscription.patterns {
            if let name = pattern.exactName {
                exactSubscriptions[name]?[id] = nil
                if exactSubscriptions[name]?.isEmpty == true { exactSubscriptions[name] = nil }
            } else {
                patternSubscriptions[pattern]?[id] = nil
                if patternSubscriptions[pattern]?.isEmpty == true {
                    patternSubscriptions[pattern] = nil
                }
            }
        }
        for feed in feeds where feed.readers.isEmpty { feed.idleSince = now }
        for topic in topicsAwaited {
            awaited[topic]?.removeAll { $0 === subscription }
            if awaited[topic]?.isEmpty == true { awaited[topic] = nil }
        }
    }

    /// Ends all subscriptions of a session; replies to it still wait.
    package func removeSubscriptions(of subscriber: Subscriber) {
        subscriber.dropBacklogs()
        for subscription in subscriber.subscriptions { remove(subscription) }
    }

    /// The session is over.
    package func remove(_ subscriber: Subscriber) {
        removeSubscriptions(of: subscriber)
        subscriber.close()
    }

    private func isRegistered(_ subscription: Subscription) -> Bool {
        let id = ObjectIdentifier(subscription)
        return subscription.patterns.contains { pattern in
            if let name = pattern.exactName { return exactSubscriptions[name]?[id] != nil }
            return patternSubscriptions[pattern]?[id] != nil
        }
    }

    private func subscriptions(matching topic: TopicName) -> some Collection<Subscription> {
        var found = exactSubscriptions[topic] ?? [:]
        for (pattern, subscriptions) in patternSubscriptions where pattern.matches(topic) {
            found.merge(subscriptions) { subscription, _ in subscription }
        }
        return found.values
    }

    // MARK: Reads

    /// Asks for the page behind the reader's cursor; all who ask for the same at the same time
    /// share it.
    func read(for reader: TopicReader) {
        let key = ReadKey(topic: reader.feed.topic, after: reader.cursor)
        if reads[key] != nil {
            reads[key]?.append(reader)
        } else {
            reads[key] = [reader]
            actor.read(
                key.topic, after: key.after, in: reader.subscription.subscriber.encoding)
        }
    }

    /// The answer to `FanOutActor.read`; `nil` if the log could not be read.
    package func pageArrived(_ page: ReplayPage?, of topic: TopicName, after: Offset) {
        let readers = reads.removeValue(forKey: ReadKey(topic: topic, after: after)) ?? []
        let events = page?.sharedEvents() ?? []
        for reader in readers {
            let subscriber = reader.subscription.subscriber
            if let page, page.position.epoch == reader.feed.epoch {
                subscriber.readEnded(for: reader)
                subscriber.pageArrived(page, events, after: after, for: reader)
            } else {
                // Also a page of an incarnation that this loop was not told of yet: it will be,
                // until the next tick.
                stalled.append(reader)
            }
        }
    }

    /// Bytes of newest events in memory, over all topics.
    var recentEventsByteCount: Int { cacheOrder.byteCount }

    // MARK: Turns and time

    /// Flushes the subscriber in this turn.
    package func markDirty(_ subscriber: Subscriber) {
        if needsSchedule(for: subscriber) { actor.scheduleFlush() }
    }

    /// Flushes the subscriber again, when others and the loop's sockets had their turn.
    package func flushNextTurn(_ subscriber: Subscriber) {
        if needsSchedule(for: subscriber) { actor.scheduleFlushLater() }
    }

    /// Puts the subscriber among those to flush; says whether a flush has to be scheduled for it.
    private func needsSchedule(for subscriber: Subscriber) -> Bool {
        guard !subscriber.isDirty else { return false }
        subscriber.isDirty = true
        dirty.append(subscriber)
        guard !isFlushScheduled else { return false }
        isFlushScheduled = true
        return true
    }

    /// Flushes those for whom something came since the last time, for `Limits.flushTurn` and one
    /// subscriber at the most: first who is live, then who replays, each in turn.
    ///
    /// What is left has its turn when the loop's sockets had theirs. Of those who replay, one is
    /// flushed in any case, so that they are not starved.
    package func flush(clock: () -> ContinuousClock.Instant) {
        let end = clock() + limits.flushTurn
        var isOver = false
        // For whom something comes meanwhile has the next turn.
        var left = dirty.count
        while left > 0, !isOver, let subscriber = dirty.popFirst() {
            left -= 1
            if subscriber.isReplaying {
                catchingUp.append(subscriber)
            } else {
                flush(subscriber)
                if left.isMultiple(of: Self.flushesPerLook) { isOver = clock() >= end }
            }
        }
        left = catchingUp.count
        isOver = false
        while left > 0, !isOver, let subscriber = catchingUp.popFirst() {
            left -= 1
            flush(subscriber)
            isOver = clock() >= end
        }
        isFlushScheduled = !dirty.isEmpty || !catchingUp.isEmpty
        if isFlushScheduled { actor.scheduleFlushLater() }
    }

    private func flush(_ subscriber: Subscriber) {
        subscriber.isDirty = false
        subscriber.output?.flush()
    }

    /// Repeats reads that failed, and drops feeds that nobody has followed for a while.
    ///
    /// - Returns: The topics that need not be followed any more.
    package func tick(now: ContinuousClock.Instant) -> [TopicName] {
        self.now = now
        for reader in stalled { reader.subscription.subscriber.readEnded(for: reader) }
        stalled = []
        let idle = feeds.values.filter { feed in
            feed.readers.isEmpty && feed.idleSince.map { now - $0 > Self.idleFeedKept } ?? false
        }
        for feed in idle {
            cacheOrder.forget(bytes: feed.evictAll())
            feeds[feed.topic] = nil
        }
        return idle.map(\.topic)
    }
}

/// What a shard needs done.
package protocol FanOutActor: AnyObject {
    /// Calls `FanOutShard.flush` at the end of this loop turn.
    func scheduleFlush()
    /// Calls `FanOutShard.flush` when the loop's sockets had their turn.
    func scheduleFlushLater()
    /// Answers with `FanOutShard.followed`, in the FIFO of events.
    func follow(_ topics: [TopicName])
    /// Answers with `FanOutShard.pageArrived`, in the encoding of who asked first.
    func read(_ topic: TopicName, after: Offset, in encoding: Encoding)
}
