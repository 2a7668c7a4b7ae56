internal import EventModel

/// How a session's readers come to the head: from the log, from memory, or from what they hold.
extension Subscriber {
    // MARK: Live and behind

    /// Makes the subscription live in the topic if its cursor has reached the head.
    ///
    /// Otherwise the reader is its place there, and gets what it can. Tells what is to be told
    /// before.
    func settle(_ reader: TopicReader) {
        endBehind(reader)
        let feed = reader.feed
        if tellReset(reader), reader.cursor >= feed.head {
            becomeLive(reader)
        } else if feed.isEphemeral {
            startHolding(reader)
            if reader.cursor < feed.head {
                changeHeld(of: reader) { $0.appendLost(reader.cursor + 1...feed.head, .ephemeral) }
            }
            if reader.owedReset == nil, refillFromHeld(reader) == .live { becomeLive(reader) }
        } else {
            startReplaying(reader)
        }
    }

    func startReplaying(_ reader: TopicReader) { startBehind(reader, as: .replaying) }

    func startHolding(_ reader: TopicReader) { startBehind(reader, as: .holding) }

    private func startBehind(_ reader: TopicReader, as standing: TopicReader.Standing) {
        guard reader.standing != standing else { return }
        endBehind(reader)
        if !isPlaced(reader) { reader.subscription.add(reader) }
        reader.standing = standing
        if reader.isLagging { reader.subscription.laggingCount += 1 }
        turns.began(reader)
        shard.markDirty(self)
    }

    /// The reader has no turns any more, and holds nothing.
    private func endBehind(_ reader: TopicReader) {
        guard reader.isBehind else { return }
        if reader.isLagging { reader.subscription.laggingCount -= 1 }
        reader.standing = .none
        turns.ended(reader)
        changeHeld(of: reader) { $0.removeAll() }
    }

    private func becomeLive(_ reader: TopicReader) {
        endBehind(reader)
        reader.isNew = false
        if reader.cursor > reader.feed.head {
            reader.standing = .ahead
            if !isPlaced(reader) { reader.subscription.add(reader) }
        } else if isPlaced(reader) {
            leave(reader)
        }
    }

    /// The subscription has no place of its own in the topic any more.
    func leave(_ reader: TopicReader) {
        endBehind(reader)
        reader.standing = .none
        reader.subscription.remove(reader)
        shard.readerLeft(reader.feed)
    }

    private func isPlaced(_ reader: TopicReader) -> Bool {
        reader.subscription.reader(of: reader.feed) === reader
    }

    // MARK: Turns

    /// Something has to be fetched, or told, before the subscriber is live everywhere.
    package var isReplaying: Bool { !turns.isEmpty || !owing.isEmpty || !walking.isEmpty }

    /// Refills the backlog: with notices that are owed, and for readers that are behind from memory
    /// at once, from the log through the shard's reads.
    ///
    /// To be called when the backlog has room and the socket takes bytes, so that the pace is the
    /// socket's.
    package func refill() {
        defer { walkOn() }
        while hasRoomForPage, let subscription = owing.first {
            guard tellAll(owedBy: subscription) else { return }
            owing.removeFirst().known.isOwing = false
        }
        while hasRoomForPage, let reader = turns.next() {
            guard tellReset(reader) else { return }
            turns.nextServed()
            switch reader.standing == .holding ? refillFromHeld(reader) : refillFromLog(reader) {
            case .live:
                becomeLive(reader)
                tellOwed(by: reader.subscription)
            case .parked: turns.park(reader)
            case .reading: break
            case .more: turns.enqueue(reader)
            case .full:
                turns.enqueue(reader)
                return
            }
        }
    }

    /// What a turn has come to.
    private enum Outcome {
        /// The reader has come to the head.
        case live
        /// It waits for credit, or for its rate.
        case parked
        /// It waits for a page, or until one may be read.
        case reading
        /// It has taken all of a page, and has another turn.
        case more
        /// There is no room for more; it has another turn.
        case full
    }

    /// From memory, or else from the log.
    private func refillFromLog(_ reader: TopicReader) -> Outcome {
        let (feed, subscription) = (reader.feed, reader.subscription)
        if reader.cursor >= feed.head { return .live }
        guard !subscription.credit.isSpent else { return parked(for: subscription, reader) }
        if let events = feed.recentEvents(after: reader.cursor) {
            if accept(events, for: reader, bytesMax: refillBytesMax) { return .live }
            return subscription.credit.isSpent ? parked(for: subscription, reader) : .full
        }
        guard let page = page(for: reader) else { return .reading }
        return take(page, for: reader)
    }

    private func parked(for subscription: Subscription, _ reader: TopicReader) -> Outcome {
        // Others may need to read.
        turns.drop(reader)
        subscription.credit.wait(reader)
        return .parked
    }

    /// Takes what the reader replays as far as there is credit and room, which there is no more
    /// when `bytesMax` wait.
    ///
    /// - Returns: `false` if something is left.
    private func accept(
        _ events: some Sequence<SharedEvent>, for reader: TopicReader, bytesMax: Int
    ) -> Bool {
        let (feed, subscription) = (reader.feed, reader.subscription)
        for event in events {
            if subscription.wants(event) {
                let message = message(of: event, for: subscription)
                guard !subscription.credit.isSpent, backlog.byteCount < bytesMax,
                    hasRoom(for: message.size)
                else { return false }
                put(message, of: feed, behind: reader.cursor, for: subscription)
            } else {
                skip(in: feed, subscription)
            }
            reader.cursor = event.offset
        }
        return true
    }

    private func refillFromHeld(_ reader: TopicReader) -> Outcome {
        let (feed, subscription) = (reader.feed, reader.subscription)
        while let next = reader.held.next {
            // A gap comes with the event behind it, so that what is lost meanwhile is in it.
            if reader.held.eventCount > 0 {
                guard !subscription.credit.isSpent else { return parked(for: subscription, reader) }
                guard hasTurn(reader) else { return .parked }
            }
            switch next {
            case .lost(let span, let reason):
                guard tellGap(reader, upTo: span.upperBound, reason) else { return .full }
            case .event(let event):
                let message = message(of: event, for: subscription)
                guard isSending, hasRoom(for: message.size) else { return .full }
                put(message, of: feed, behind: reader.cursor, for: subscription)
                reader.cursor = event.offset
                reader.meter?.spend(shard.clock())
            }
            changeHeld(of: reader) { $0.removeNext() }
        }
        // What is behind was filtered.
        reader.cursor = max(reader.cursor, feed.head)
        // Its place is kept while its rate remembers what came.
        guard let meter = reader.meter, shard.clock() < meter.rest else { return .live }
        shard.wake(reader, at: meter.rest)
        return .parked
    }

    // MARK: Rate and credit

    /// Whether the reader's rate has an event left; otherwise it has another turn when it has.
    private func hasTurn(_ reader: TopicReader) -> Bool {
        guard let rate = reader.subscription.maxRate else { return true }
        let now = shard.clock()
        let meter = reader.meter ?? RateMeter(eventsPerSecond: rate, now: now)
        reader.meter = meter
        if meter.allows(now) {
            changeHeld(of: reader) { $0.beginRound() }
            return true
        }
        shard.wake(reader, at: meter.next)
        return false
    }

    /// The time has come that `FanOutShard.wake` was told.
    func wake(_ reader: TopicReader) { if turns.unpark(reader) { shard.markDirty(self) } }

    /// The client takes so many events more of a subscription; of one that has none to count they
    /// are ignored.
    package func grant(_ events: Int64, to subscription: Subscription) {
        subscription.credit.grant(events)
        useCredit(of: subscription)
    }

    /// What waited for credit has turns again, if there is some.
    func useCredit(of subscription: Subscription) {
        let waiting = subscription.credit.takeWaiting()
        guard !waiting.isEmpty else { return }
        for reader in waiting { turns.unpark(reader) }
        shard.markDirty(self)
    }

    /// Gives the subscription another rate, or none.
    package func changeRate(of subscription: Subscription, to maxRate: Int?) {
        subscription.maxRate = maxRate
        let readers = subscription.readers.values.filter { $0.meter != nil }
        for reader in readers.sorted(by: { $0.feed.topic.text < $1.feed.topic.text }) {
            reader.meter = reader.meter?.changed(to: maxRate, now: shard.clock())
            wake(reader)
        }
    }

    // MARK: Walks

    /// Walks reach more topics when few are left to replay, so that they are as fast as the socket.
    private func walkOn() {
        guard hasRoomForPage, turns.readerCount < Self.walkReadersMax,
            let subscription = walking.first(where: {
                $0.walk?.isAsking == false && !$0.credit.isSpent
            })
        else { return }
        subscription.walk?.isAsking = true
        subscription.walk?.source.proceed(subscription, behind: subscription.walk?.reached)
    }

    /// How many topics may replay while a walk goes on.
    private static let walkReadersMax = 32

    // MARK: Pages

    /// The page that goes on behind the reader's cursor; `nil` if it is yet to be read.
    private func page(for reader: TopicReader) -> ArrivedPage? {
        if let page = reader.page, page.goesOn(behind: reader.cursor, in: reader.feed) {
            return page
        }
        turns.drop(reader)
        guard turns.beginRead(for: reader), let page = shard.page(for: reader) else { return nil }
        turns.hold(page, for: reader)
        return page
    }

    /// A page has come for the reader, which takes it when it has a turn; `nil`: it could not be
    /// read.
    func readEnded(with page: ArrivedPage?, for reader: TopicReader) {
        turns.readEnded(with: page, for: reader)
        shard.markDirty(self)
    }

    /// What is left of pages is read again.
    func dropPages() {
        guard !turns.holders.isEmpty else { return }
        for reader in turns.holders { turns.drop(reader) }
        shard.markDirty(self)
    }

    /// As far as there is credit and room; when half of it is taken, the next is asked for.
    private func take(_ page: ArrivedPage, for reader: TopicReader) -> Outcome {
        let (feed, subscription) = (reader.feed, reader.subscription)
        if page.first > reader.cursor + 1 {
            tellGaps(reader, upTo: page.first - 1, purgedBelow: page.page.purgedBelow)
        }
        let isAll = accept(
            page.events(behind: reader.cursor), for: reader, bytesMax: refillBytesMax)
        if page.last - reader.cursor <= Int64(page.events.count / 2) {
            shard.readAhead(behind: page, for: reader)
        }
        if isAll {
            turns.drop(reader)
            return reader.cursor >= feed.head ? .live : .more
        }
        return subscription.credit.isSpent ? parked(for: subscription, reader) : .full
    }
}
