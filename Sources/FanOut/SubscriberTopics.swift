package import EventModel

/// What happens to a session's topics: subscriptions join them, and they come, go on elsewhere, and
/// go.
extension Subscriber {
    // MARK: Subscribing

    /// Begins with each topic at its start; `subscribed` is in the backlog already.
    func join(_ subscription: Subscription, _ starts: [ReaderStart], gone: [TopicName]) {
        subscription.hasJoined = true
        for topic in gone { subscription.known.ends.ended(topic) }
        for start in starts {
            if start.cursor == 0 { subscription.known.empty.insert(start.feed.topic) }
            follow(start, subscription: subscription)
        }
        tellOwed(by: subscription)
        shard.markDirty(self)
    }

    /// Begins with a topic that came into being after the subscription.
    func joinNew(_ feed: TopicFeed, subscription: Subscription) {
        guard subscription.reader(of: feed) == nil else { return }
        subscription.absent.remove(feed.topic)
        let isAgain = subscription.known.ends.began(feed.topic)
        let start = ReaderStart(feed: feed, cursor: 0, reset: isAgain ? .recreated : nil)
        subscription.walk?.began(feed.topic)
        follow(start, subscription: subscription, isNew: true)
        shard.markDirty(self)
    }

    /// The subscription's walk has reached these topics, and all up to `reached`; `nil`: all.
    func walked(_ subscription: Subscription, _ starts: [ReaderStart], through reached: TopicName?)
    {
        let due = starts.filter { !(subscription.walk?.hasBegun($0.feed.topic) ?? true) }
        if let reached {
            subscription.walk?.reach(reached)
            subscription.walk?.isAsking = false
        } else {
            endWalk(of: subscription)
        }
        for start in due { follow(start, subscription: subscription) }
        tellOwed(by: subscription)
        shard.markDirty(self)
    }

    private func follow(
        _ start: ReaderStart, subscription: Subscription, isNew: Bool = false
    ) {
        let feed = start.feed
        // The log may have begun another incarnation since the start was fixed.
        let offset = min(start.cursor, feed.fork(since: start.epoch) ?? start.cursor)
        settle(
            TopicReader(
                feed: feed, subscription: subscription, cursor: offset,
                reset: start.reset ?? (offset < start.cursor ? .restored : nil), isNew: isNew))
    }

    // MARK: What happens to a topic

    /// The topic is gone: what waits of it, too; the subscription stays.
    func topicDeleted(_ feed: TopicFeed, of subscription: Subscription) {
        let reader = subscription.reader(of: feed)
        let dropped = dropBacklog(of: subscription, in: feed)
        let cursor = dropped ?? reader?.cursor ?? feed.head
        let isKnown = subscription.known.empty.remove(feed.topic) != nil
        // Of what the client knows nothing, the end need not be told either.
        let isUnheard = cursor == 0 && !isKnown && reader?.owedReset == nil
        if let reader { leave(reader) }
        if !isUnheard { subscription.known.ends.ended(feed.topic) }
        tellOwed(by: subscription)
    }

    /// Retention was faster than the fan-out: a page will tell the gap; or an ephemeral topic has
    /// lost something.
    ///
    /// `head`: Where it stood before, and with it a subscription that is live there.
    func topicOvertaken(_ feed: TopicFeed, behind head: Offset, of subscription: Subscription) {
        let reader = place(of: subscription, in: feed, at: head)
        if reader.standing == .holding, feed.isEphemeral {
            changeHeld(of: reader) { $0.appendLost(head + 1...feed.head, .ephemeral) }
        } else {
            settle(reader)
        }
        tellOwed(by: subscription)
        shard.markDirty(self)
    }

    /// The topic goes on behind `fork` in another incarnation.
    ///
    /// What was consumed above it is not in the log. `head`: Where it stood before, and with it a
    /// subscription that is live there.
    func topicRestarted(
        _ feed: TopicFeed, from head: Offset, fork: Offset, of subscription: Subscription
    ) {
        let dropped = dropBacklog(of: subscription, in: feed)
        let reader = place(of: subscription, in: feed, at: head)
        reader.cursor = dropped ?? reader.cursor
        // Of an ephemeral topic something may be lost that this node has never heard of: who knows
        // where it stood before is told, also at its begin.
        let isUnsure = feed.isEphemeral && subscription.known.empty.contains(feed.topic)
        if reader.cursor > fork || isUnsure {
            reader.cursor = fork
            // One that is owed already says where the client stands, and why.
            if reader.owedReset == nil { reader.owedReset = .restored }
        }
        settle(reader)
        tellOwed(by: subscription)
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
