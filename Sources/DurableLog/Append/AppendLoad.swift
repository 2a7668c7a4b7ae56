internal import EventModel

/// How much waits for the log: in all, for each topic, for each publisher, and for each publisher in
/// each topic.
struct AppendLoad: Sendable {
    struct Amount {
        var events = 0
        var bytes = 0

        mutating func add(_ events: Int, _ bytes: Int) {
            self.events += events
            self.bytes += bytes
        }
    }

    private enum Share: Hashable {
        case topic(TopicName)
        case publisher(String)
        /// One publisher's part of a topic: somebody else's flood leaves room in the topic, too.
        case publisherOfTopic(String, TopicName)

        /// It may hold one part in this many of the queue.
        var divisor: Int {
            switch self {
            case .topic, .publisher: AppendQueue.shareDivisor
            case .publisherOfTopic: AppendQueue.shareDivisor * 2
            }
        }
    }

    private let eventsMax: Int
    private let bytesMax: Int
    private(set) var total = Amount()
    private var shares: [Share: Amount] = [:]

    init(eventsMax: Int, bytesMax: Int) {
        self.eventsMax = eventsMax
        self.bytesMax = bytesMax
    }

    /// Whatever its size, a request fits if nothing else waits.
    ///
    /// - Throws: `publisher_overloaded` when all is full, `rate_limited` when the request's topic
    ///   or publisher has its share.
    func check(_ pending: PendingAppend) throws(BrokerError) {
        if total.events > 0 {
            guard total.events + pending.eventCount <= eventsMax,
                total.bytes + pending.byteCount <= bytesMax
            else {
                throw BrokerError(
                    .publisherOverloaded,
                    "\(total.events) events of \(total.bytes) bytes wait for the log already.")
            }
        }
        for (share, amount) in Self.shares(of: pending) { try check(share, amount) }
    }

    private func check(_ share: Share, _ amount: Amount) throws(BrokerError) {
        guard let held = shares[share] else { return }
        guard held.events + amount.events <= eventsMax / share.divisor,
            held.bytes + amount.bytes <= bytesMax / share.divisor
        else {
            let whose =
                switch share {
                case .topic(let topic): "of topic \(topic)"
                case .publisher: "of this publisher"
                case .publisherOfTopic(_, let topic): "of this publisher to topic \(topic)"
                }
            throw BrokerError(
                .rateLimited, "\(held.events) events \(whose) wait for the log already.")
        }
    }

    mutating func add(_ pending: PendingAppend) {
        total.add(pending.eventCount, pending.byteCount)
        for (share, amount) in Self.shares(of: pending) {
            shares[share, default: Amount()].add(amount.events, amount.bytes)
        }
    }

    mutating func remove(_ pending: PendingAppend) {
        total.add(-pending.eventCount, -pending.byteCount)
        for (share, amount) in Self.shares(of: pending) {
            shares[share]?.add(-amount.events, -amount.bytes)
            if shares[share]?.events == 0 { shares[share] = nil }
        }
    }

    private static func shares(of pending: PendingAppend) -> [Share: Amount] {
        let parts = pending.request.parts
        var shares: [Share: Amount] = [:]
        for part in parts {
            // Of one part it was counted when it came: to look at each event again costs all who
            // wait for the lock.
            let (events, bytes) =
                parts.count == 1
                ? (pending.eventCount, pending.byteCount)
                : (part.events.count, part.events.reduce(0) { $0 + $1.byteCount })
            shares[.topic(part.topic), default: Amount()].add(events, bytes)
            // The anonymous are not one publisher.
            guard let publisher = pending.request.publisher?.tokenID else { continue }
            shares[.publisher(publisher), default: Amount()].add(events, bytes)
            shares[.publisherOfTopic(publisher, part.topic), default: Amount()].add(events, bytes)
        }
        return shares
    }
}
