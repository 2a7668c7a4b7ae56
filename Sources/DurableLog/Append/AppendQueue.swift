internal import DequeModule
package import EventModel

/// Requests that wait for the log: bounded, in order per topic, fair between topics.
///
/// A request waits in the line of each of its topics and is taken when it is first in all of them,
/// so two requests to one topic never overtake. Batches take the lines in turn, so that one topic's
/// flood does not delay the others.
package struct AppendQueue: Sendable {
    /// The most events of a batch (DESIGN 3).
    package static let batchEventsMax = 500
    /// The most bytes of a batch; a single larger request is a batch of its own.
    package static let batchBytesMax = 1 << 20
    /// A topic or publisher may hold one part in this many of the queue.
    package static let shareDivisor = 4

    private struct Load {
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
    private var total = Load()
    private var shares: [Share: Load] = [:]
    private var requests: [Int: PendingAppend] = [:]
    private var lines: [TopicName: Deque<Int>] = [:]
    /// Topics with a line, in the order of their turns.
    ///
    /// An emptied line stays until its turn.
    private var turns: Deque<TopicName> = []
    private var lastNumber = 0

    package init(eventsMax: Int, bytesMax: Int) {
        self.eventsMax = eventsMax
        self.bytesMax = bytesMax
    }

    package var isEmpty: Bool { requests.isEmpty }
    package var eventCount: Int { total.events }
    package var byteCount: Int { total.bytes }

    /// Takes a request in.
    ///
    /// Whatever its size, a request fits into an empty queue.
    /// - Throws: `publisher_overloaded` when the queue is full, `rate_limited` when its topic or
    ///   publisher has its share of it.
    package mutating func enqueue(_ pending: PendingAppend) throws(BrokerError) {
        try checkTotal(pending)
        let parts = Self.shares(of: pending)
        for (share, load) in parts { try checkShare(share, load) }
        total.add(pending.eventCount, pending.byteCount)
        for (share, load) in parts { shares[share, default: Load()].add(load.events, load.bytes) }
        lastNumber += 1
        requests[lastNumber] = pending
        for topic in Self.topics(of: pending) {
            if lines[topic] == nil { turns.append(topic) }
            lines[topic, default: []].append(lastNumber)
        }
    }

    /// The next batch: at most `batchEventsMax` events and `batchBytesMax` bytes, or one larger
    /// request.
    ///
    /// Empty if none waits.
    package mutating func takeBatch() -> [PendingAppend] {
        var batch: [PendingAppend] = []
        var load = Load()
        var skipped = 0
        while skipped < turns.count, let topic = turns.first {
            guard let number = lines[topic]?.first, let pending = requests[number] else {
                lines[topic] = nil
                turns.removeFirst()
                continue
            }
            let topics = Self.topics(of: pending)
            guard topics.allSatisfy({ lines[$0]?.first == number }) else {
                // An older request waits in another of its lines; that one's turn comes.
                turns.append(turns.removeFirst())
                skipped += 1
                continue
            }
            let fits =
                load.events + pending.eventCount <= Self.batchEventsMax
                && load.bytes + pending.byteCount <= Self.batchBytesMax
            guard batch.isEmpty || fits else { break }
            remove(number, pending, topics)
            turns.append(turns.removeFirst())
            load.add(pending.eventCount, pending.byteCount)
            batch.append(pending)
            skipped = 0
        }
        return batch
    }

    /// Empties the queue, for answers that are the same for all.
    package mutating func takeAll() -> [PendingAppend] {
        let all = requests.sorted { $0.key < $1.key }.map(\.value)
        self = AppendQueue(eventsMax: eventsMax, bytesMax: bytesMax)
        return all
    }

    private mutating func remove(_ number: Int, _ pending: PendingAppend, _ topics: [TopicName]) {
        requests[number] = nil
        for topic in topics { lines[topic]?.removeFirst() }
        total.add(-pending.eventCount, -pending.byteCount)
        for (share, load) in Self.shares(of: pending) {
            shares[share]?.add(-load.events, -load.bytes)
            if shares[share]?.events == 0 { shares[share] = nil }
        }
    }

    private func checkTotal(_ pending: PendingAppend) throws(BrokerError) {
        guard !isEmpty else { return }
        guard total.events + pending.eventCount <= eventsMax,
            total.bytes + pending.byteCount <= bytesMax
        else {
            var error = BrokerError(
                .publisherOverloaded,
                "\(total.events) events of \(total.bytes) bytes wait for the log already.")
            error.committed = .no
            throw error
        }
    }

    private func checkShare(_ share: Share, _ load: Load) throws(BrokerError) {
        guard let held = shares[share] else { return }
        guard held.events + load.events <= eventsMax / Self.shareDivisor,
            held.bytes + load.bytes <= bytesMax / Self.shareDivisor
        else {
            let whose =
                switch share {
                case .topic(let topic): "of topic \(topic)"
                case .publisher: "of this publisher"
                }
            var error = BrokerError(
                .rateLimited, "\(held.events) events \(whose) wait for the log already.")
            error.committed = .no
            throw error
        }
    }

    private static func topics(of pending: PendingAppend) -> [TopicName] {
        let parts = pending.request.parts
        guard parts.count > 1 else { return parts.map(\.topic) }
        var seen: Set<TopicName> = []
        return parts.compactMap { seen.insert($0.topic).inserted ? $0.topic : nil }
    }

    private static func shares(of pending: PendingAppend) -> [Share: Load] {
        var shares: [Share: Load] = [:]
        for part in pending.request.parts {
            shares[.topic(part.topic), default: Load()].add(
                part.events.count, part.events.reduce(0) { $0 + $1.byteCount })
        }
        // The anonymous are not one publisher.
        if !pending.request.publisher.isEmpty {
            shares[.publisher(pending.request.publisher)] = Load(
                events: pending.eventCount, bytes: pending.byteCount)
        }
        return shares
    }
}
