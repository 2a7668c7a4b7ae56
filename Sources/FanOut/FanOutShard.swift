package import EventModel

/// One event loop's part of the fan-out: the topics that its subscribers get something of, and the
/// subscriptions.
///
/// Confined to its loop. Events and joins come through one FIFO, so a subscription that joins at
/// the head misses nothing.
package final class FanOutShard {
    private var feeds: [TopicName: TopicFeed] = [:]
    private var groups = SubscriptionGroups()
    /// Topics that came into being and are to be followed by name, and the subscriptions that join
    /// them when they have a feed.
    private var awaited: [TopicName: [Subscription]] = [:]
    private var walks = LoopWalks()
    private var reads = PageReads()
    private let turns: FlushTurns
    /// The feed of each event in memory, oldest first; for eviction.
    private var cacheOrder = EvictionOrder()
    private let limits: Limits
    /// What waits for all sockets.
    let budget: LoopBudget
    /// Readers that wait for their rate.
    private var deadlines = Deadlines()
    /// Subscriptions whose filters have passed over events of which the client was not told.
    private var progressing: [Subscription] = []
    private unowned let actor: any FanOutActor
    let clock: () -> ContinuousClock.Instant
    /// The time of the last tick.
    private(set) var now: ContinuousClock.Instant
    /// So that a subscriber that comes back at once finds the topic, or the pattern, followed.
    private static let idleKept = Duration.seconds(60)

    package init(
        limits: Limits, actor: any FanOutActor, clock: @escaping () -> ContinuousClock.Instant
    ) {
        self.clock = clock
        now = clock()
        self.limits = limits
        budget = LoopBudget(bytesMax: limits.backlogsBytesMax)
        self.actor = actor
        turns = FlushTurns(limits.flushTurn)
    }

    // MARK: Events of the log

    /// Committed events of a topic, behind those told before.
    ///
    /// `position`: Where the topic stood, if more than its name follows it.
    package func appended(
        _ events: [Event], to topic: TopicName, epoch: Epoch, at position: TopicPosition? = nil
    ) {
        guard feed(of: topic, orAt: position) != nil else { return }
        appended(events.map { SharedEvent($0, of: topic, epoch: epoch) }, to: topic)
    }

    func appended(_ events: [SharedEvent], to topic: TopicName) {
        guard let feed = feeds[topic] else { return }
        let head = feed.head
        noteHead(of: feed)
        let new = feed.advance(events)
        guard !new.isEmpty else { return }
        feed.lastNeeded = now
        for group in groups(of: feed) {
            for subscription in group.subscriptions {
                if subscription.isLive(in: feed) {
                    subscription.subscriber.deliver(new, of: feed, behind: head, to: subscription)
                } else if let reader = subscription.reader(of: feed) {
                    subscription.subscriber.deliver(new, to: reader)
                }
            }
        }
        if !feed.isEphemeral {
            cacheOrder.appended(new, to: feed, bytesMax: limits.recentEventsBytesMax)
        }
    }

    /// Topics that are new: subscriptions whose patterns match follow them from their first event.
    package func created(_ topics: [TopicName]) {
        var toFollow: [TopicName] = []
        for topic in topics {
            let subscriptions = groups.matching(topic).flatMap(\.subscriptions)
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
            awaitName(of: feed)
            return !feed.isFollowedByName
        }
        awaited[topic, default: []].append(contentsOf: subscriptions)
        return true
    }

    /// A feed that it has by a pattern's grace is not enough for who has the topic by its name.
    private func awaitName(of feed: TopicFeed) {
        if !feed.isFollowedByName, groups.hasSubscription(named: feed.topic) {
            awaited[feed.topic, default: []] += []
        }
    }

    /// The topics are followed by name from these positions on; what comes next in the FIFO is
    /// behind them.
    ///
    /// `isPassing`: For a walk, which passes them by.
    package func followed(_ positions: [TopicPosition], isPassing: Bool = false) {
        for position in positions {
            if feeds[position.topic] == nil { makeFeed(position).isPassing = isPassing }
            feeds[position.topic]?.isFollowedByName = true
            awaited[position.topic] = nil
        }
    }

    @discardableResult
    private func makeFeed(_ position: TopicPosition) -> TopicFeed {
        let feed = TopicFeed(position, now: now)
        feeds[position.topic] = feed
        for subscription in awaited.removeValue(forKey: position.topic) ?? [] {
            subscription.subscriber.joinNew(feed, subscription: subscription)
        }
        awaitName(of: feed)
        return feed
    }

    /// The topic's feed; one is made where it stands if a subscription that has joined matches it
    /// with a wildcard.
    ///
    /// Before one has, the log may not follow the topic yet, so a feed might miss what comes next.
    /// Who has the topic by its name waits for `followed`.
    private func feed(of topic: TopicName, orAt position: TopicPosition?) -> TopicFeed? {
        if let feed = feeds[topic] { return feed }
        guard let position, groups.hasJoined(matching: topic) else { return nil }
        return makeFeed(position)
    }

    /// More is about to be told of the topic: walks that are under way want to know from where on.
    private func noteHead(of feed: TopicFeed) {
        if !walks.isEmpty { feed.noteHead(for: walks.numbers) }
    }

    /// Topics that are still to be followed because an earlier try failed.
    package var topicsAwaited: [TopicName] { Array(awaited.keys) }

    /// The topic is gone.
    ///
    /// Its subscriptions stay, for one that comes back under the name.
    ///
    /// - Returns: `true` if the loop followed it by name.
    @discardableResult
    package func deleted(_ topic: TopicName, at position: TopicPosition? = nil) -> Bool {
        awaited[topic] = nil
        let feed = feeds.removeValue(forKey: topic)
        if let feed { cacheOrder.forget(bytes: feed.evictAll()) }
        feed?.hasEnded = true
        // Those that are live there have no place in a feed.
        let ended = feed ?? position.map { TopicFeed($0, now: now) }
        for subscription in groups.matching(topic).flatMap(\.subscriptions) {
            subscription.newTopics.removeAll { $0 == topic }
            guard subscription.absent.remove(topic) == nil else { continue }
            guard let ended, subscription.hasBegun(ended) else { continue }
            subscription.walk?.ended(topic)
            subscription.subscriber.topicDeleted(ended, of: subscription)
        }
        return feed?.isFollowedByName ?? false
    }

    /// Events below `earliest` are not to be read any more.
    ///
    /// Where that is beyond what was fanned out, the topic goes on there, and its live
    /// subscriptions ask the log for what they will not get; of an ephemeral topic they are told at
    /// once.
    package func purged(
        _ topic: TopicName, earliest: Offset, at position: TopicPosition? = nil
    ) {
        let overtaken = position.flatMap { $0.latest < earliest - 1 ? $0 : nil }
        guard let feed = feed(of: topic, orAt: overtaken) else { return }
        cacheOrder.forget(bytes: feed.purge(below: earliest))
        let head = feed.head
        guard earliest - 1 > head else { return }
        noteHead(of: feed)
        feed.skip(to: earliest - 1)
        for subscription in groups(of: feed).flatMap(\.subscriptions)
        where subscription.isLive(in: feed) || subscription.reader(of: feed)?.takesLive == true {
            subscription.subscriber.topicOvertaken(feed, behind: head, of: subscription)
        }
    }

    /// The topic goes on in another incarnation of the log, behind `fork`.
    ///
    /// `old`: Up to where it was told, if more than its name follows it.
    package func restarted(
        _ position: TopicPosition, fork: Offset, from old: TopicPosition? = nil
    ) {
        // Nothing happened to who stands at the fork.
        let moved = old.flatMap { $0.latest != fork ? $0 : nil }
        guard let feed = feed(of: position.topic, orAt: moved) else { return }
        cacheOrder.forget(bytes: feed.evictAll())
        let head = feed.head
        noteHead(of: feed)
        feed.restart(position, fork: fork)
        for subscription in groups(of: feed).flatMap(\.subscriptions)
        where subscription.isLive(in: feed) || subscription.reader(of: feed) != nil {
            subscription.subscriber.topicRestarted(feed, from: head, fork: fork, of: subscription)
        }
    }

    // MARK: Subscriptions

    /// The topic's feed on this loop, if it has one here; who asks has another minute to join it.
    package func feed(of topic: TopicName) -> TopicFeed? {
        let feed = feeds[topic]
        feed?.lastNeeded = now
        return feed
    }

    /// What the subscription has consumed of a topic that has a feed (`Subscription.cursor`).
    package func cursor(of subscription: Subscription, in topic: TopicName) -> Cursor? {
        guard let feed = feeds[topic], let offset = subscription.cursor(in: feed) else {
            return nil
        }
        return Cursor(epoch: feed.epoch, offset: offset)
    }

    /// Whether the loop has the topic's feed by its name, and not only by a pattern's grace.
    package func follows(_ topic: TopicName) -> Bool {
        feed(of: topic)?.isFollowedByName ?? false
    }

    /// Makes the subscription known, so that topics which come into being from now on are not
    /// missed.
    package func register(_ subscription: Subscription) {
        subscription.subscriber.add(subscription)
        budget.add(subscription.subscriber)
        let change = groups.add(subscription, now: now)
        note(change)
        if !change.wildcards.isEmpty { actor.patternsCame(change.wildcards) }
    }

    private func note(_ change: SubscriptionGroups.Change) {
        for name in change.names { feeds[name]?.groups = nil }
    }

    /// The groups whose subscriptions get the topic.
    private func groups(of feed: TopicFeed) -> [SubscriptionGroup] {
        if let (found, version) = feed.groups, version == groups.version { return found }
        let found = groups.matching(feed.topic)
        feed.groups = (found, groups.version)
        return found
    }

    /// Starts delivery; what the client is told before (`subscribed`) is in the backlog already.
    ///
    /// The feeds are those that `feed(of:)` gives now. A subscription that has been removed
    /// meanwhile is ignored. It is live at once in whatever its patterns match beside `starts`, or,
    /// with a walk, when that has come by. `gone` are topics that the client has a cursor of and
    /// that do not exist.
    package func join(
        _ subscription: Subscription, _ starts: [ReaderStart], gone: [TopicName] = [],
        walk: (any TopicWalkSource)? = nil
    ) {
        guard let group = subscription.place?.group else { return }
        group.joined()
        let begun = Set(starts.map(\.feed.topic))
        for start in starts {
            let topic = start.feed.topic
            precondition(feeds[topic] === start.feed, "bug: joined \(topic), which is not followed")
        }
        if let walk {
            subscription.walk = TopicWalk(walk, number: walks.begin(), begun: begun)
            subscription.subscriber.beginWalk(of: subscription)
        }
        let names = subscription.patterns.compactMap(\.exactName)
        subscription.absent = Set(names.filter { feeds[$0] != nil && !begun.contains($0) })
        subscription.subscriber.join(subscription, starts, gone: gone)
        let new = subscription.newTopics
        subscription.newTopics = []
        let toFollow = new.filter { topic in
            !begun.contains(topic) && awaitFeed(of: topic, for: [subscription])
        }
        if !toFollow.isEmpty { actor.follow(toFollow) }
    }

    /// Ends a subscription; nothing of it is delivered any more.
    package func remove(_ subscription: Subscription) {
        endWalk(of: subscription)
        let subscriber = subscription.subscriber
        subscriber.remove(subscription)
        if subscriber.subscriptions.isEmpty { budget.remove(subscriber) }
        let change = groups.remove(subscription, now: now)
        note(change)
        for name in change.names { feeds[name]?.lastNeeded = now }
        for topic in topicsAwaited {
            awaited[topic]?.removeAll { $0 === subscription }
            if awaited[topic]?.isEmpty == true, !groups.hasSubscription(named: topic) {
                awaited[topic] = nil
            }
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

    // MARK: Walks

    /// Where a topic stood when the subscription's walk began, for a start to be found by.
    package func startPosition(of feed: TopicFeed, for subscription: Subscription) -> TopicPosition
    {
        var position = feed.position
        if let walk = subscription.walk { position.latest = feed.head(atWalk: walk.number) }
        position.earliest = min(position.earliest, position.latest + 1)
        return position
    }

    /// The answer to `TopicWalkSource.proceed`: all topics up to `reached` begin where `starts`
    /// says, or are live; `nil`: all that there are.
    package func walked(
        _ subscription: Subscription, _ starts: [ReaderStart], through reached: TopicName?
    ) {
        guard let walk = subscription.walk else { return }
        if reached == nil { walks.end(walk) }
        subscription.subscriber.walked(subscription, starts, through: reached)
        for start in starts { walks.left(start.feed) }
        dropPassed()
    }

    private func endWalk(of subscription: Subscription) {
        guard let walk = subscription.walk else { return }
        walks.end(walk)
        subscription.subscriber.endWalk(of: subscription)
    }

    /// The next topics of a walk could not be looked up.
    package func walkStalled(_ subscription: Subscription) { walks.stall(subscription) }

    /// Nobody may be behind in the topic any more.
    func readerLeft(_ feed: TopicFeed) { walks.left(feed) }

    /// A feed that a walk has passed is kept no longer than it is needed.
    private func dropPassed() {
        var gone: [TopicName] = []
        for feed in walks.takePassed() where has(feed) && !isNeeded(feed) {
            drop(feed)
            gone.append(feed.topic)
        }
        if !gone.isEmpty { actor.unfollow(gone) }
    }

    /// Whether somebody needs the feed whom nothing else would tell of the topic.
    private func isNeeded(_ feed: TopicFeed) -> Bool {
        !feed.readers.isEmpty || feed.waitingCount > 0
            || !walks.isEmpty && feed.hasNotedHeads
            // That it was heard of before, nothing else says.
            || feed.head == 0 && !feed.isUnheard
            || groups.hasSubscription(named: feed.topic)
    }

    private func drop(_ feed: TopicFeed) {
        cacheOrder.forget(bytes: feed.evictAll())
        feeds[feed.topic] = nil
    }

    // MARK: Reads

    /// The page that goes on behind the reader's cursor; `nil`: it is asked for, and comes to
    /// `Subscriber.readEnded`.
    func page(for reader: TopicReader) -> ArrivedPage? {
        if let page = reads.page(behind: reader.cursor, in: reader.feed) { return page }
        if reads.wait(reader) { read(behind: reader.cursor, pages: 1, for: reader) }
        return nil
    }

    /// Asks for what follows the page, if the reader takes it so fast that it would soon wait.
    func readAhead(behind page: ArrivedPage, for reader: TopicReader) {
        guard page.tick == now,
            let pages = reads.readAhead(
                behind: page, in: reader.feed, mayGrow: budget.isMostlyFree)
        else { return }
        read(behind: page.last, pages: pages, for: reader)
    }

    private func read(behind offset: Offset, pages: Int, for reader: TopicReader) {
        actor.read(
            reader.feed.topic, after: offset, pages: pages,
            in: reader.subscription.subscriber.encoding)
    }

    /// The answer to `FanOutActor.read`; `nil` if the log could not be read.
    package func pageArrived(_ page: ReplayPage?, of topic: TopicName, after: Offset) {
        let page = page.map { ArrivedPage($0, after: after, tick: now, countedIn: budget) }
        if !budget.hasRoom(for: 0) { budget.dropPages() }
        for reader in reads.ended(with: page, of: topic, after: after) {
            if let page, page.page.position.epoch == reader.feed.epoch {
                reader.subscription.subscriber.readEnded(with: page, for: reader)
            } else {
                // Also a page of an incarnation that this loop was not told of yet: it will be,
                // until the next tick.
                reads.fail(reader)
            }
        }
    }

    /// Bytes of newest events in memory, over all topics.
    var recentEventsByteCount: Int { cacheOrder.byteCount }

    // MARK: Policies, rates and filters

    /// The topic's own policy; what was set is known a tick after the log knows it.
    func overflow(of feed: TopicFeed) -> OverflowPolicy? {
        if let known = feed.overflow, known.tick == now { return known.policy }
        let policy = actor.overflow(of: feed.topic)
        feed.overflow = (policy, now)
        return policy
    }

    /// The reader has a turn again at this time.
    func wake(_ reader: TopicReader, at time: ContinuousClock.Instant) {
        deadlines.add(reader, at: time)
        scheduleWake()
    }

    private func scheduleWake() {
        if let time = deadlines.nextTimer(now: clock()) { actor.scheduleWake(at: time) }
    }

    /// The time that `FanOutActor.scheduleWake` was told has come.
    package func wake() {
        for reader in deadlines.takeDue(now: clock()) {
            reader.subscription.subscriber.wake(reader)
        }
        scheduleWake()
    }

    /// A subscription's filter has passed over an event, the first since the client was told.
    func progressBegan(of subscription: Subscription) { progressing.append(subscription) }

    /// Tells clients, where it is due, how far their filters have passed over events.
    private func tellProgress() {
        guard !progressing.isEmpty else { return }
        progressing.removeAll { $0.place == nil || $0.progress.isEmpty }
        for subscription in progressing where subscription.progress.isDue(now: now) {
            subscription.subscriber.tellProgress(of: subscription)
        }
    }

    /// Whether the loop still has the topic's feed.
    func has(_ feed: TopicFeed) -> Bool { feeds[feed.topic] === feed }

    // MARK: Turns and time

    /// Flushes the subscriber in this turn.
    package func markDirty(_ subscriber: Subscriber) {
        if turns.add(subscriber) { actor.scheduleFlush() }
    }

    /// Flushes the subscriber again, when others and the loop's sockets had their turn.
    package func flushNextTurn(_ subscriber: Subscriber) {
        if turns.add(subscriber) { actor.scheduleFlushLater() }
    }

    /// Flushes those for whom something came since the last time, in turn (`FlushTurns`); what is
    /// left has its turn when the loop's sockets had theirs.
    package func flush(clock: () -> ContinuousClock.Instant) {
        tellProgress()
        if turns.flush(clock: clock) { actor.scheduleFlushLater() }
    }

    /// Repeats reads that failed, and drops feeds and patterns that nobody has needed for a while.
    ///
    /// - Returns: The topics that need not be followed by name any more.
    package func tick(now: ContinuousClock.Instant) -> [TopicName] {
        self.now = now
        budget.tick()
        tellProgress()
        for reader in reads.tick(now: now) {
            reader.subscription.subscriber.readEnded(with: nil, for: reader)
        }
        for subscription in walks.takeStalled() {
            subscription.walk?.isAsking = false
            markDirty(subscription.subscriber)
        }
        // A pattern is not let go while a topic that is to be followed by name has it to thank.
        let gone = awaited.isEmpty ? groups.removeIdle(for: Self.idleKept, now: now) : []
        for change in gone {
            note(change)
            actor.patternsWent(change.wildcards)
        }
        dropPassed()
        return dropIdleFeeds().filter(\.isFollowedByName).map(\.topic)
    }

    private func dropIdleFeeds() -> [TopicFeed] {
        var idle: [TopicFeed] = []
        for feed in feeds.values {
            if walks.isEmpty { feed.forgetHeads() }
            if !feed.isFollowedByName, !groups(of: feed).contains(where: \.isFollowed) {
                // Its pattern is not followed any more: it would miss what comes next.
                idle.append(feed)
            } else if isNeeded(feed) {
                feed.lastNeeded = now
            } else if now - feed.lastNeeded > Self.idleKept {
                idle.append(feed)
            }
        }
        for feed in idle { drop(feed) }
        return idle
    }

    /// How many subscriptions get the topic here, live or behind.
    package func followerCount(of topic: TopicName) -> Int {
        guard let feed = feeds[topic] else { return 0 }
        return groups(of: feed).flatMap(\.subscriptions).count { $0.hasBegun(feed) }
    }
}
