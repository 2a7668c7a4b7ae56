internal import EventModel

/// What a session is told beside events.
///
/// Notices count into the budget. One that does not fit is not kept: it is made of the state of its
/// reader or subscription when there is room.
extension Subscriber {
    /// - Returns: `false` if the budget has no room; then the notice is owed.
    private func tell(_ notice: Notice) -> Bool {
        let bytes = encoding.notice(notice)
        guard hasRoom(for: bytes.count) else { return false }
        if case .reset(let topic, let cursor, _) = notice {
            backlog.append(
                reset: bytes, of: topic, to: cursor, isLast: encoding.isLast(notice))
        } else {
            backlog.append(notice: bytes)
        }
        shard.markDirty(self)
        return true
    }

    /// Tells the reset that comes before anything else of the reader's topic.
    ///
    /// - Returns: `false` if it is still owed.
    func tellReset(_ reader: TopicReader) -> Bool {
        guard let reason = reader.owedReset else { return true }
        let feed = reader.feed
        let cursor = Cursor(epoch: feed.epoch, offset: reader.cursor)
        guard tell(.reset(topic: feed.topic, cursor: cursor, reason: reason)) else { return false }
        reader.owedReset = nil
        if reader.cursor == 0 { reader.subscription.known.empty.insert(feed.topic) }
        if reason == .recreated { reader.subscription.known.ends.beginTold(feed.topic) }
        return true
    }

    /// Tells what the subscription owes, now or in its turn.
    func tellOwed(by subscription: Subscription) {
        guard !subscription.known.isOwing, !tellAll(owedBy: subscription) else { return }
        subscription.known.isOwing = true
        owing.append(subscription)
        shard.markDirty(self)
    }

    /// Ends of topics first, then whether it is live.
    ///
    /// - Returns: `false` if something is still owed.
    func tellAll(owedBy subscription: Subscription) -> Bool {
        while let topic = subscription.known.ends.next() {
            guard tell(.reset(topic: topic, cursor: nil, reason: .deleted)) else { return false }
            subscription.known.ends.nextTold()
        }
        let isLive = subscription.isLive
        guard subscription.hasJoined, isLive == subscription.known.owesLive else { return true }
        let id = subscription.id
        let isTold =
            isLive
            ? tell(.live(subscription: id))
            : tell(.lagging(subscription: id, behind: subscription.behind))
        if isTold { subscription.known.owesLive = !isLive }
        return isTold
    }

    // MARK: What does not come

    /// Tells the offsets behind the reader's cursor up to `last`, which will not come.
    ///
    /// - Returns: `false` if the budget has no room.
    func tellGap(_ reader: TopicReader, upTo last: Offset, _ reason: GapReason) -> Bool {
        let notice = gap(behind: reader, upTo: last, reason)
        let bytes = encoding.notice(notice)
        guard hasRoom(for: bytes.count) else { return false }
        append(notice, bytes, of: reader, upTo: last)
        return true
    }

    /// What a page begins behind: two reasons are two gaps, purged below, retention above
    /// (doc:Session).
    ///
    /// They are few, and come whatever waits.
    func tellGaps(_ reader: TopicReader, upTo last: Offset, purgedBelow: Offset) {
        let split = min(max(purgedBelow - 1, reader.cursor), last)
        for (end, reason) in [(split, GapReason.purged), (last, .retention)]
        where end > reader.cursor {
            let notice = gap(behind: reader, upTo: end, reason)
            append(notice, encoding.notice(notice), of: reader, upTo: end)
        }
    }

    private func gap(
        behind reader: TopicReader, upTo last: Offset, _ reason: GapReason
    ) -> Notice {
        let feed = reader.feed
        return .gap(
            topic: feed.topic, epoch: feed.epoch, from: reader.cursor + 1, to: last,
            reason: reason)
    }

    private func append(
        _ notice: Notice, _ bytes: [UInt8], of reader: TopicReader, upTo last: Offset
    ) {
        let step = Backlog.Step(
            subscription: reader.subscription, feed: reader.feed, before: reader.cursor,
            after: last)
        backlog.append(bytes, step, isLast: encoding.isLast(notice))
        reader.cursor = last
        reader.subscription.progress.told(of: reader.feed)
        shard.markDirty(self)
    }

    // MARK: What a filter passes over

    /// The subscription's filter has passed over an event, up to which it has everything, or will.
    func skip(in feed: TopicFeed, _ subscription: Subscription) {
        if subscription.progress.isEmpty { shard.progressBegan(of: subscription) }
        if subscription.progress.skip(in: feed, now: shard.now) { shard.markDirty(self) }
    }

    /// Tells in which topics, and how far, the subscription's filter has passed over events.
    ///
    /// Of a topic for which the budget has no room it is told another time.
    func tellProgress(of subscription: Subscription) {
        for feed in subscription.progress.feeds {
            // Of what another incarnation has not, there is nothing to tell.
            guard shard.has(feed), let offset = subscription.cursor(in: feed), offset > 0 else {
                subscription.progress.told(of: feed)
                continue
            }
            let cursor = Cursor(epoch: feed.epoch, offset: offset)
            let bytes = encoding.notice(.cursors([feed.topic: cursor]))
            guard hasRoom(for: bytes.count) else { return }
            backlog.append(
                bytes,
                Backlog.Step(
                    subscription: subscription, feed: feed, before: offset, after: offset))
            subscription.progress.told(of: feed)
            shard.markDirty(self)
        }
    }
}
