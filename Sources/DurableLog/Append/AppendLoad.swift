internal import EventModel

/// How much waits for the log, in all and for each topic and publisher.
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
        guard held.events + amount.events <= eventsMax / AppendQueue.shareDivisor,
            held.bytes + amount.bytes <= bytesMax / AppendQueue.shareDivisor
        else {
            let whose =
                switch share {
                case .topic(let topic): "of topic \(topic)"
                case .publisher: "of this publisher"
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
        if parts.count == 1 {
            // Counted when it came: whoever looks at each event again pays for it under the lock.
            shares[.topic(parts[0].topic)] = Amount(
                events: pending.eventCount, bytes: pending.byteCount)
        } else {
            for part in parts {
                shares[.topic(part.topic), default: Amount()].add(
                    part.events.count, part.events.reduce(0) { $0 + $1.byteCount })
            }
        }
        // The anonymous are not one publisher.
        if let publisher = pending.request.publisher {
            shares[.publisher(publisher.tokenID)] = Amount(
                events: pending.eventCount, bytes: pending.byteCount)
        }
        return shares
    }
}
