import RepeatableChance

internal import EventModel
internal import FanOut

/// A connection with a socket that blocks when it likes, its session, and the client behind it.
final class SimulatedSession: SubscriberOutput {
    /// A subscription whose start is not fixed yet, or that has not joined.
    private struct Pending {
        let subscription: Subscription
        let start: Start
        var topics: [TopicName]
        var starts: [ReaderStart]?
    }

    private enum Start {
        case latest
        case back(Offset)
        case cursors([TopicName: Cursor])
    }

    private(set) lazy var subscriber = Subscriber(
        output: self, shard: world.shard, limits: limits,
        encoding: SimulatedMessage.encoding)
    let limits: Limits
    private(set) var checker = ContractChecker()
    private unowned let world: Simulation
    private var random: SeededGenerator
    private var pending: [Pending] = []
    /// Of all subscriptions that it ever had.
    private var patterns: [Int64: [TopicPattern]] = [:]
    /// Those that would overlap with another.
    private var taken: [Int64: [TopicPattern]] = [:]
    private var active: [Int64: Subscription] = [:]
    private var nextID: Int64 = 1
    private var room = 0
    private var isUnlimited = false
    private var reader = LineReader()

    init(in world: Simulation, limits: Limits, random: SeededGenerator) {
        self.world = world
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
            checker.receive(line, patterns: { patterns[$0] ?? [] }, log: world.log)
        }
    }

    func takeBytes() {
        room += random.pick(1...random.pick([50, 500, 5000]))
        flush()
    }

    func open() {
        isUnlimited = true
        room = 300
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
        let subscription = Subscription(id: id, patterns: chosen, subscriber: subscriber)
        world.shard.register(subscription)
        let exact = Set(chosen.compactMap(\.exactName))
        let topics = Simulation.topics.filter { topic in
            exact.contains(topic)
                || world.known.contains(topic) && chosen.contains { $0.matches(topic) }
        }
        let starts: [Start] = [.latest, .back(.max), .back(Offset(random.pick(0...6)))]
        let start = cursors.isEmpty ? random.pick(starts) : .cursors(cursors)
        pending.append(Pending(subscription: subscription, start: start, topics: topics))
        followMissing()
    }

    /// Asks for the feeds that are missing, also again after a failure.
    func followMissing() {
        for pending in pending {
            let missing = pending.topics.filter { world.shard.feed(of: $0) == nil }
            if !missing.isEmpty { world.follow(missing) }
        }
    }

    func topicDeleted(_ topic: TopicName) {
        for index in pending.indices { pending[index].topics.removeAll { $0 == topic } }
    }

    /// Fixes starts when the feeds are there, and joins what was fixed before.
    func proceed() {
        var rest: [Pending] = []
        for var pending in pending {
            let topics = pending.topics.filter { world.known.contains($0) }
            let feeds = topics.compactMap { world.shard.feed(of: $0) }
            if let starts = pending.starts,
                starts.map({ ObjectIdentifier($0.feed) })
                    == feeds.map(ObjectIdentifier.init)
            {
                join(pending.subscription, starts, pending.start)
                continue
            }
            pending.starts =
                feeds.count == topics.count ? feeds.map { fix(pending.start, $0) } : nil
            rest.append(pending)
        }
        pending = rest
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

    private func join(_ subscription: Subscription, _ starts: [ReaderStart], _ start: Start) {
        guard let id = subscription.id else { return }
        active[id] = subscription
        var told: [TopicName: Cursor] = [:]
        for fixed in starts {
            let topic = fixed.feed.topic
            told[topic] = Cursor(epoch: fixed.feed.epoch, offset: fixed.cursor)
            if case .cursors(let cursors) = start, fixed.reset != nil {
                told[topic] = cursors[topic]
            }
        }
        subscriber.sendControl(SimulatedMessage.subscribed(id, told).encoded())
        world.shard.join(subscription, starts)
    }

    func unsubscribe() {
        guard !active.isEmpty, let subscription = active[random.pick(active.keys.sorted())],
            let id = subscription.id
        else { return }
        world.shard.remove(subscription)
        active[id] = nil
        taken[id] = nil
        subscriber.sendControl(SimulatedMessage.unsubscribed(id).encoded())
    }

    // MARK: Checks

    var isPending: Bool { !pending.isEmpty }

    /// One event always fits, also behind one that has begun, which does not count; notices of gaps
    /// count, too.
    func checkBound(eventBytesMax: Int) -> String? {
        let bytes = subscriber.backlog.byteCount - subscriber.backlog.controlByteCount
        let bound = max(limits.backlogBytesMax, eventBytesMax) + eventBytesMax + 200
        return bytes > bound ? "\(bytes) bytes wait, more than \(bound)" : nil
    }

    func finish() { checker.finish(log: world.log) }
}
