internal import EventModel

/// How much waits for the log: in all, for each topic, for each publisher, and for each publisher
/// in each topic.
///
/// Topics are those of the queue's lines, by number. A request's places are looked up once, when it
/// comes.
struct AppendLoad: Sendable {
    /// What a request counts for, and where.
    struct Stake: Sendable {
        var amount: AppendAmount
        /// Place of its publisher; `nil` while that one has nothing else here.
        var publisher: Int?
        var first: Claim
        /// One for each further part.
        var others: [Claim] = []

        var count: Int { 1 + others.count }

        /// Of each part, in their order.
        subscript(part: Int) -> Claim {
            get { part == 0 ? first : others[part - 1] }
            set {
                if part == 0 { first = newValue } else { others[part - 1] = newValue }
            }
        }
    }

    /// What a part counts for, and where.
    struct Claim: Sendable {
        var amount: AppendAmount
        /// Its topic's; `nil` while that has none.
        var line: Int?
        /// Place of its publisher's amount in its topic.
        var publisherOfTopic: Int?
    }

    private struct PublisherOfTopic: Hashable {
        var publisher: Int
        var line: Int
    }

    private let eventsMax: Int
    private let bytesMax: Int
    private(set) var total = AppendAmount()
    private var lines: [AppendAmount] = []
    /// The anonymous are not one publisher, and have no share.
    private var publishers = AppendAmounts<String>()
    /// Somebody else's flood leaves room in the topic, too.
    private var publishersOfTopics = AppendAmounts<PublisherOfTopic>()

    init(eventsMax: Int, bytesMax: Int) {
        self.eventsMax = eventsMax
        self.bytesMax = bytesMax
    }

    /// Looks the request's places up.
    ///
    /// `lines`: Of the topics that have one.
    func stake(of pending: PendingAppend, lines: [TopicName: Int]) -> Stake {
        let amount = AppendAmount(events: pending.eventCount, bytes: pending.byteCount)
        let publisher = pending.publisher.flatMap { publishers.place(of: $0) }
        let parts = pending.parts
        // Of one part it was counted when it came: to look at each event again costs all who wait
        // for the lock.
        guard parts.count > 1 else {
            return Stake(
                amount: amount, publisher: publisher,
                first: claim(amount, lines[parts[0].topic], publisher))
        }
        let claims = parts.indices.map { part in
            let events = parts[part].events
            let bytes = events.indices.reduce(0) { $0 + events[$1].byteCount }
            return claim(
                AppendAmount(events: events.count, bytes: bytes), lines[parts[part].topic],
                publisher)
        }
        return Stake(
            amount: amount, publisher: publisher, first: claims[0], others: Array(claims[1...]))
    }

    private func claim(_ amount: AppendAmount, _ line: Int?, _ publisher: Int?) -> Claim {
        guard let line, let publisher else { return Claim(amount: amount, line: line) }
        let owner = PublisherOfTopic(publisher: publisher, line: line)
        return Claim(
            amount: amount, line: line, publisherOfTopic: publishersOfTopics.place(of: owner))
    }

    // MARK: Shares

    /// Whatever its size, a request fits if nothing else waits.
    ///
    /// - Throws: `publisher_overloaded` when all is full, `rate_limited` when the request's topic
    ///   or publisher has its share.
    func check(_ stake: Stake, of pending: PendingAppend) throws(BrokerError) {
        guard total.events > 0 else { return }
        guard total.events + stake.amount.events <= eventsMax,
            total.bytes + stake.amount.bytes <= bytesMax
        else {
            throw BrokerError(
                .publisherOverloaded,
                "\(total.events) events of \(total.bytes) bytes wait for the log already.")
        }
        if let publisher = stake.publisher, !hasRoom(publishers[publisher], stake.amount, 1) {
            throw rateLimited(publishers[publisher], "of this publisher")
        }
        // What a request has for one topic counts together.
        var sums: [Int: AppendAmount] = [:]
        for part in 0..<stake.count {
            let claim = stake[part]
            guard let line = claim.line else { continue }
            var amount = claim.amount
            if stake.count > 1 {
                sums[line, default: AppendAmount()] += claim.amount
                amount = sums[line] ?? amount
            }
            guard hasRoom(lines[line], amount, 1) else {
                throw rateLimited(lines[line], "of topic \(pending.parts[part].topic)")
            }
            guard let place = claim.publisherOfTopic else { continue }
            guard hasRoom(publishersOfTopics[place], amount, 2) else {
                let topic = pending.parts[part].topic
                throw rateLimited(
                    publishersOfTopics[place], "of this publisher to topic \(topic)")
            }
        }
    }

    /// `divisor`: Of the share that a topic or publisher may hold.
    private func hasRoom(_ held: AppendAmount, _ amount: AppendAmount, _ divisor: Int) -> Bool {
        let divisor = divisor * AppendQueue.shareDivisor
        return held.events == 0
            || held.events + amount.events <= eventsMax / divisor
                && held.bytes + amount.bytes <= bytesMax / divisor
    }

    private func rateLimited(_ held: AppendAmount, _ whose: String) -> BrokerError {
        BrokerError(.rateLimited, "\(held.events) events \(whose) wait for the log already.")
    }

    // MARK: What comes and goes

    /// The request waits now: every claim has a line, and its other places are noted.
    mutating func add(_ stake: inout Stake, of pending: PendingAppend) {
        total += stake.amount
        if let publisher = pending.publisher {
            stake.publisher = publishers.add(stake.amount, of: publisher, at: stake.publisher)
        }
        for part in 0..<stake.count {
            let claim = stake[part]
            guard let line = claim.line else { preconditionFailure("bug: a part without a line") }
            while line >= lines.count { lines.append(AppendAmount()) }
            lines[line] += claim.amount
            guard let publisher = stake.publisher else { continue }
            let owner = PublisherOfTopic(publisher: publisher, line: line)
            // An earlier part of the request may have made the place.
            let place = claim.publisherOfTopic ?? (part > 0 ? place(of: owner) : nil)
            stake[part].publisherOfTopic = publishersOfTopics.add(
                claim.amount, of: owner, at: place)
        }
    }

    private func place(of owner: PublisherOfTopic) -> Int? { publishersOfTopics.place(of: owner) }

    mutating func remove(_ stake: Stake) {
        total -= stake.amount
        if let publisher = stake.publisher { publishers.remove(stake.amount, at: publisher) }
        for part in 0..<stake.count {
            let claim = stake[part]
            if let line = claim.line { lines[line] -= claim.amount }
            if let place = claim.publisherOfTopic {
                publishersOfTopics.remove(claim.amount, at: place)
            }
        }
    }
}
