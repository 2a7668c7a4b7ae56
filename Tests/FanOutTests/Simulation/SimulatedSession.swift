import RepeatableChance

internal import EventModel
@testable internal import FanOut

/// A connection with a socket that blocks when it likes, its session, and the client behind it.
final class SimulatedSession: SubscriberOutput {
    /// A subscription whose start is not fixed yet, or that has not joined.
    private struct Pending {
        let subscription: Subscription
        let start: Start
        /// Those that it names, or has cursors of.
        var topics: [TopicName]
        var isMatchingFollowed = false
        /// That came into being since it was registered.
        var new: Set<TopicName> = []
        var starts: [ReaderStart]?
    }

    private enum Start: CustomStringConvertible {
        case latest
        case back(Offset)
        case cursors([TopicName: Cursor])

        var description: String {
            switch self {
            case .latest: "at the head"
            case .back(.max): "at the tail"
            case .back(let count): "\(count) back"
            case .cursors(let cursors):
                "from " + cursors.map { "\($0)=\($1)" }.sorted().joined(separator: " ")
            }
        }
    }

    private(set) lazy var subscriber = Subscriber(
        output: self, shard: world.shard, limits: limits,
        encoding: SimulatedMessage.encoding)
    let number: Int
    let limits: Limits
    private(set) var checker = ContractChecker()
    private unowned let world: Simulation
    private var random: SeededGenerator
    private var pending: [Pending] = []
    /// Of all subscriptions that it ever had.
    private var patterns: [Int64: [TopicPattern]] = [:]
    private var options: [Int64: (SubscriptionOptions, SimulatedFilter)] = [:]
    /// Those that would overlap with another.
    private var taken: [Int64: [TopicPattern]] = [:]
    private var active: [Int64: Subscription] = [:]
    /// Of walks, whose answer takes its time.
    private var steps: [Step] = []
    private var nextID: Int64 = 1
    private var room = 0
    private var isUnlimited = false
    private var reader = LineReader()

    init(in world: Simulation, number: Int, limits: Limits, random: SeededGenerator) {
        self.world = world
        self.number = number
        self.limits = limits
        self.random = random
    }

    // MARK: The socket

    func flush() {
        var lines: [String] = []
        while room > 0 {
            let count = withUnsafeTemporaryAllocation(
                byteCount: min(room, random.pick(1...300)), alignment: 1
            ) { record in
                let count = subscriber.backlog.fill(record)
                reader.read(UnsafeRawBufferPointer(rebasing: record[..<count]), into: &lines)
                return count
            }
            if !isUnlimited { room -= count }
            if count == 0 {
                subscriber.refill()
                if subscriber.backlog.isEmpty { break }
            }
        }
        for line in lines {
            world.note("session \(number) < \(line)")
            let before = checker.violations.count
            checker.receive(
                line, patterns: { patterns[$0] ?? [] },
                options: { options[$0] ?? (SubscriptionOptions(), .none) }, log: world.log)
            for violation in checker.violations[before...] { world.note("VIOLATION: \(violation)") }
        }
    }

    func takeBytes() {
        room += random.pick(1...random.pick([50, 500, 5000]))
        flush()
    }

    func open() {
        isUnlimited = true
        room = 300
        for id in active.keys.sorted() { grant(1 << 40, to: id) }
        flush()
    }

    // MARK: The session

    /// Subscribes to patterns that do not overlap with those it has; `cursors` of an earlier
    /// session are resumed from.
    func subscribe(resuming cursors: [TopicName: Cursor]) {
        let chosen = (0..<random.pick(1...2)).map { _ in random.pick(Simulation.patterns) }
        let others = taken.values.joined()
        guard !chosen.contains(where: { one in others.contains { $0.overlaps(one) } }) else {
            return
        }
        let id = nextID
        nextID += 1
        patterns[id] = chosen
        taken[id] = chosen
        let options = SubscriptionOptions(
            overflow: random.pick([nil, .replay, .conflate, .dropOldest, .disconnect]),
            maxRate: random.chance(20) ? random.pick([1, 5, 2000]) : nil,
            credit: random.chance(20) ? Int64(random.pick(0...8)) : nil)
        let filter = random.chance(25) ? random.pick([SimulatedFilter.one, .notThree]) : .none
        self.options[id] = (options, filter)
        let subscription = Subscription(
            id: id, patterns: chosen, subscriber: subscriber, options: options,
            filter: filter.filter)
        world.shard.register(subscription)
        let named = Set(chosen.compactMap(\.exactName)).union(
            cursors.keys.filter { topic in chosen.contains { $0.matches(topic) } })
        let starts: [Start] = [.latest, .back(.max), .back(Offset(random.pick(0...6)))]
        let start = cursors.isEmpty ? random.pick(starts) : .cursors(cursors)
        world.note(
            "session \(number) subscribes \(id) to \(chosen) \(start): "
                + "\(options.overflow?.rawValue ?? "-"), rate \(options.maxRate ?? 0), "
                + "credit \(options.credit ?? -1), filter \(filter)")
        pending.append(
            Pending(
                subscription: subscription, start: start,
                topics: Simulation.topics.filter { named.contains($0) }))
        followPatterns(of: subscription)
        followMissing()
    }

    /// Until it is answered, again and again.
    private func followPatterns(of subscription: Subscription) {
        let wildcards = subscription.patterns.filter { $0.exactName == nil }
        world.followMatching(wildcards) { [weak self] in
            guard let self else { return }
            for index in pending.indices where pending[index].subscription === subscription {
                pending[index].isMatchingFollowed = true
            }
        }
    }

    /// Asks again after a failure.
    func askAgain() {
        for pending in pending where !pending.isMatchingFollowed {
            followPatterns(of: pending.subscription)
        }
        followMissing()
    }

    /// Asks for the feeds that are missing.
    private func followMissing() {
        for pending in pending {
            let missing = pending.topics.filter { !world.shard.follows($0) }
            if !missing.isEmpty { world.follow(missing) }
        }
    }

    func topicsCreated(_ topics: [TopicName]) {
        for index in pending.indices { pending[index].new.formUnion(topics) }
    }

    func topicDeleted(_ topic: TopicName) {
        for index in pending.indices {
            pending[index].topics.removeAll { $0 == topic }
            pending[index].new.remove(topic)
        }
    }

    /// Fixes starts when the feeds are there, and joins what was fixed before.
    func proceed() {
        var rest: [Pending] = []
        for var pending in pending {
            let topics = pending.topics.filter {
                world.log.ids[$0] != nil || world.shard.follows($0)
            }
            let feeds = topics.compactMap { topic in
                world.shard.follows(topic) ? world.shard.feed(of: topic) : nil
            }
            if let starts = pending.starts, pending.isMatchingFollowed,
                starts.map({ ObjectIdentifier($0.feed) })
                    == feeds.map(ObjectIdentifier.init)
            {
                join(pending, starts)
                continue
            }
            pending.starts =
                feeds.count == topics.count ? feeds.map { fix(pending.start, $0) } : nil
            rest.append(pending)
        }
        pending = rest
        for step in steps { end(step) }
        steps = []
    }

    private func fix(_ start: Start, _ feed: TopicFeed) -> ReaderStart {
        let position = feed.position
        switch start {
        case .latest: return ReaderStart(feed: feed, cursor: position.latest)
        case .back(let count):
            return ReaderStart(
                feed: feed, cursor: max(position.earliest - 1, position.latest - count))
        case .cursors(let cursors):
            guard let cursor = cursors[feed.topic], let old = SimulatedEpoch(cursor.epoch),
                let new = SimulatedEpoch(feed.epoch)
            else { return ReaderStart(feed: feed, cursor: 0) }
            guard old.topicID == new.topicID else {
                return ReaderStart(feed: feed, cursor: 0, reset: .recreated)
            }
            let fork = world.log.fork(of: new.topicID, from: old.incarnation, to: new.incarnation)
            return ReaderStart(
                feed: feed, cursor: min(fork, cursor.offset),
                reset: cursor.offset > fork ? .restored : nil)
        }
    }

    private func join(_ pending: Pending, _ starts: [ReaderStart]) {
        let subscription = pending.subscription
        guard let id = subscription.id else { return }
        active[id] = subscription
        var told: [TopicName: Cursor] = [:]
        for fixed in starts {
            let topic = fixed.feed.topic
            told[topic] = Cursor(epoch: fixed.epoch, offset: fixed.cursor)
            if case .cursors(let cursors) = pending.start, fixed.reset != nil {
                told[topic] = cursors[topic]
            }
        }
        // What is live from here on, and what the walk will find: nobody tells the client.
        var walk: Walk?
        var begun: [TopicName: ContractChecker.Beginning] = [:]
        for topic in Simulation.topics where told[topic] == nil && !pending.new.contains(topic) {
            guard
                subscription.patterns.contains(where: { $0.matches(topic) && $0.exactName == nil }),
                let position = world.stands[topic]
            else { continue }
            var count: Offset = 0
            if case .back(let back) = pending.start, !position.isEphemeral { count = back }
            if case .cursors = pending.start, !position.isEphemeral { count = .max }
            begun[topic] = ContractChecker.Beginning(
                epoch: position.epoch, head: position.latest, count: count)
        }
        switch pending.start {
        case .latest: break
        case .back(let count): walk = Walk(self, count)
        case .cursors: walk = Walk(self, .max)
        }
        world.note("session \(number) joins \(id)")
        checker.begin(id, begun)
        subscriber.sendControl(SimulatedMessage.subscribed(id, told).encoded())
        let hasWildcards = subscription.patterns.contains { $0.exactName == nil }
        world.shard.join(subscription, starts, walk: hasWildcards ? walk : nil)
    }

    // MARK: Walks

    /// Looks for where the topics of a subscription begin.
    private final class Walk: TopicWalkSource {
        private unowned let session: SimulatedSession
        let count: Offset

        init(_ session: SimulatedSession, _ count: Offset) {
            self.session = session
            self.count = count
        }

        func proceed(_ subscription: Subscription, behind reached: TopicName?) {
            session.walk(subscription, self, behind: reached)
        }
    }

    private struct Step {
        let subscription: Subscription
        let feeds: [(feed: TopicFeed, epoch: Epoch)]
        let reached: TopicName?
        let count: Offset
    }

    private func walk(_ subscription: Subscription, _ walk: Walk, behind reached: TopicName?) {
        let wildcards = subscription.patterns.filter { $0.exactName == nil }
        let count = world.walkTopicsMax
        let topics = world.log.topics(matching: wildcards, after: reached, count: count)
        let next = topics.count < count ? nil : topics.last
        world.follow(topics) { [self] isFollowed in
            guard isFollowed else { return world.shard.walkStalled(subscription) }
            let feeds = topics.compactMap { world.shard.feed(of: $0) }.filter { !$0.isEphemeral }
            let step = Step(
                subscription: subscription, feeds: feeds.map { ($0, $0.epoch) }, reached: next,
                count: walk.count)
            if random.chance(50) { end(step) } else { steps.append(step) }
        }
    }

    private func end(_ step: Step) {
        let shard = world.shard
        let feeds = step.feeds.filter { !$0.feed.hasEnded }
        let hasChanged = feeds.contains {
            $0.feed.epoch != $0.epoch || shard.feed(of: $0.feed.topic) !== $0.feed
        }
        if hasChanged {
            return shard.walkStalled(step.subscription)
        }
        let starts = feeds.map { feed, _ in
            let position = shard.startPosition(of: feed, for: step.subscription)
            let cursor = max(position.earliest - 1, position.latest - step.count)
            return ReaderStart(feed: feed, cursor: min(cursor, position.latest))
        }
        world.note(
            "session \(number) walks to \(step.reached?.text ?? "the end"): "
                + starts.map { "\($0.feed.topic) \($0.cursor)" }.joined(separator: ", "))
        shard.walked(step.subscription, starts, through: step.reached)
    }

    /// Takes more events of a subscription.
    func grantSome() {
        guard !active.isEmpty else { return }
        grant(Int64(random.pick(1...12)), to: random.pick(active.keys.sorted()))
    }

    /// Asks for another rate, or none.
    func changeRate() {
        guard !active.isEmpty else { return }
        let id = random.pick(active.keys.sorted())
        guard let subscription = active[id] else { return }
        checker.pace(id)
        subscriber.changeRate(of: subscription, to: random.pick([nil, 1, 3, 1000]))
    }

    private func grant(_ events: Int64, to id: Int64) {
        guard let subscription = active[id], subscription.credit.left != nil else { return }
        world.note("session \(number) grants \(events) to \(id)")
        checker.grant(events, to: id)
        subscriber.grant(events, to: subscription)
    }

    func unsubscribe() {
        guard !active.isEmpty, let subscription = active[random.pick(active.keys.sorted())],
            let id = subscription.id
        else { return }
        world.note("session \(number) unsubscribes \(id)")
        world.shard.remove(subscription)
        active[id] = nil
        taken[id] = nil
        subscriber.sendControl(SimulatedMessage.unsubscribed(id).encoded())
    }

    // MARK: Checks

    var isPending: Bool { !pending.isEmpty || !steps.isEmpty }

    /// One event always fits, also behind one that has begun, which does not count; notices of gaps
    /// count, too.
    func checkBound(eventBytesMax: Int) -> String? {
        let bytes = subscriber.backlog.byteCount - subscriber.backlog.controlByteCount
        let bound = max(limits.backlogBytesMax, eventBytesMax) + eventBytesMax + 200
        if bytes > bound { return "\(bytes) bytes wait, more than \(bound)" }
        let all = subscriber.waitingBytes
        return all > bound + limits.pageBytesMax ? "\(all) bytes wait, some of them held" : nil
    }

    /// Where the client has got everything that was put into the backlog, the loop and it agree on
    /// what it has consumed.
    func checkPlaces() -> [String] {
        guard subscriber.backlog.isEmpty, !reader.isInsideOfMessage else { return [] }
        return active.values.flatMap { subscription in
            Simulation.topics.compactMap { checkPlace(of: subscription, in: $0) }
        }
    }

    private func checkPlace(of subscription: Subscription, in topic: TopicName) -> String? {
        guard subscription.patterns.contains(where: { $0.matches(topic) }),
            let cursor = world.shard.cursor(of: subscription, in: topic),
            let known = checker.cursor(of: topic, in: cursor.epoch), known != cursor.offset,
            known > cursor.offset || !checker.isFiltered(topic, known, cursor, world.log)
        else { return nil }
        return "session \(number) has consumed \(topic) to \(known), not to \(cursor.offset)"
    }

    func finish() { checker.finish(log: world.log) }
}
