internal import DequeModule
package import EventModel

/// Requests that wait for the log: bounded, in order per topic, fair between topics.
///
/// A request waits in the line of each of its topics and is taken when it is first in all of them,
/// so two requests to one topic never overtake. Batches take the lines in turn, so that one topic's
/// flood does not delay the others. A line whose first request has to wait for a topic is held, and
/// costs the others nothing, until that topic is released.
package struct AppendQueue: Sendable {
    /// The most events of a batch (doc:AppendAndFollow).
    package static let batchEventsMax = 500
    /// The most bytes of a batch; a single larger request is a batch of its own.
    package static let batchBytesMax = 1 << 20
    /// A topic or publisher may hold one part in this many of the queue.
    package static let shareDivisor = 4

    /// What is to become of a request that is first in all its lines.
    package enum Verdict: Sendable {
        case take
        /// It waits, and all behind it, until the topic is released.
        case hold(for: TopicName)
        /// It leaves the queue, and is not appended.
        case drop
    }

    private let eventsMax: Int
    private let bytesMax: Int
    private var load: AppendLoad
    private var requests: [Int: PendingAppend] = [:]
    private var lines: [TopicName: Deque<Int>] = [:]
    /// Topics with a line, in the order of their turns.
    ///
    /// An emptied line stays until its turn.
    private var turns: Deque<TopicName> = []
    /// Lines that have no turns, by the topic that they wait for.
    private var held: [TopicName: [TopicName]] = [:]
    /// Of the request that came last: requests are numbered as they come, from 1.
    package private(set) var lastNumber = 0

    package init(eventsMax: Int, bytesMax: Int) {
        self.eventsMax = eventsMax
        self.bytesMax = bytesMax
        load = AppendLoad(eventsMax: eventsMax, bytesMax: bytesMax)
    }

    package var isEmpty: Bool { requests.isEmpty }
    /// A batch could take no more than what waits already.
    var fillsBatch: Bool {
        load.total.events >= Self.batchEventsMax || load.total.bytes >= Self.batchBytesMax
    }

    /// A line that is empty may count, until its turn.
    func hasLine(of topic: TopicName) -> Bool { lines[topic].map { !$0.isEmpty } ?? false }

    package var eventCount: Int { load.total.events }
    package var byteCount: Int { load.total.bytes }

    /// Takes a request in.
    ///
    /// Whatever its size, a request fits into an empty queue.
    /// - Throws: `publisher_overloaded` when the queue is full, `rate_limited` when its topic or
    ///   publisher has its share of it.
    package mutating func enqueue(_ pending: PendingAppend) throws(BrokerError) {
        try load.check(pending)
        lastNumber += 1
        var pending = pending
        pending.number = lastNumber
        add(pending) { line, number in line.append(number) }
    }

    /// Takes back, in their order, requests that were taken and not appended: they are the first of
    /// their lines again.
    package mutating func putBack(_ taken: [PendingAppend]) {
        for pending in taken.reversed() { add(pending) { line, number in line.prepend(number) } }
    }

    private mutating func add(
        _ pending: PendingAppend, place: (inout Deque<Int>, Int) -> Void
    ) {
        requests[pending.number] = pending
        load.add(pending)
        for topic in Self.topics(of: pending) {
            if lines[topic] == nil { turns.append(topic) }
            place(&lines[topic, default: []], pending.number)
        }
    }

    /// Forms the next batch: at most `batchEventsMax` events and `batchBytesMax` bytes, or one
    /// larger request.
    ///
    /// - Parameters:
    ///   - requestsMax: Of the batch, at least 1.
    ///   - verdict: Asked of each request before it is taken.
    /// - Returns: Nothing if none waits that may be taken.
    package mutating func takeBatch(
        requestsMax: Int = .max, _ verdict: (PendingAppend) -> Verdict = { _ in .take }
    ) -> [PendingAppend] {
        var batch: [PendingAppend] = []
        var taken = AppendLoad.Amount()
        var skipped = 0
        while skipped < turns.count, batch.count < requestsMax, let topic = turns.first {
            guard let pending = first(of: topic) else {
                lines[topic] = nil
                turns.removeFirst()
                continue
            }
            let isFirst = Self.topics(of: pending).allSatisfy {
                first(of: $0)?.number == pending.number
            }
            guard isFirst else {
                // An older request waits in another of its lines; that one's turn comes.
                turns.append(turns.removeFirst())
                skipped += 1
                continue
            }
            switch verdict(pending) {
            case .hold(let obstacle):
                turns.removeFirst()
                held[obstacle, default: []].append(topic)
            case .drop:
                remove(pending)
                skipped = 0
            case .take:
                let fits =
                    taken.events + pending.eventCount <= Self.batchEventsMax
                    && taken.bytes + pending.byteCount <= Self.batchBytesMax
                guard batch.isEmpty || fits else { return batch }
                remove(pending)
                turns.append(turns.removeFirst())
                taken.add(pending.eventCount, pending.byteCount)
                batch.append(pending)
                skipped = 0
            }
        }
        return batch
    }

    /// The first of a line; those before it that left the queue are cleared away.
    private mutating func first(of topic: TopicName) -> PendingAppend? {
        while let number = lines[topic]?.first {
            if let pending = requests[number] { return pending }
            lines[topic]?.removeFirst()
        }
        return nil
    }

    // MARK: Lines that wait

    /// Lines wait for this topic.
    package func isHeld(for topic: TopicName) -> Bool { held[topic] != nil }

    /// The lines that wait for the topic get turns again.
    package mutating func release(_ topic: TopicName) {
        turns.append(contentsOf: held.removeValue(forKey: topic) ?? [])
    }

    /// Removes the requests to a topic that came up to a number, where a condition holds.
    package mutating func remove(
        of topic: TopicName, upTo number: Int, where isChosen: (PendingAppend) -> Bool
    ) -> [PendingAppend] {
        let chosen = (lines[topic] ?? []).prefix { $0 <= number }.compactMap { requests[$0] }
            .filter(isChosen)
        for pending in chosen { remove(pending) }
        return chosen
    }

    /// Changes a request that waits; nothing if it is gone.
    package mutating func update(_ number: Int, _ change: (inout PendingAppend) -> Void) {
        guard var pending = requests[number] else { return }
        change(&pending)
        requests[number] = pending
    }

    /// Takes a request out that waits; `nil` if it is gone.
    package mutating func remove(_ number: Int) -> PendingAppend? {
        guard let pending = requests[number] else { return nil }
        remove(pending)
        return pending
    }

    /// Empties the queue, for answers that are the same for all.
    package mutating func takeAll() -> [PendingAppend] {
        let all = requests.sorted { $0.key < $1.key }.map(\.value)
        let number = lastNumber
        self = AppendQueue(eventsMax: eventsMax, bytesMax: bytesMax)
        lastNumber = number
        return all
    }

    /// Its numbers stay in the lines until they are the first there.
    private mutating func remove(_ pending: PendingAppend) {
        requests[pending.number] = nil
        load.remove(pending)
        for topic in Self.topics(of: pending) where lines[topic]?.first == pending.number {
            lines[topic]?.removeFirst()
        }
    }

    private static func topics(of pending: PendingAppend) -> [TopicName] {
        let parts = pending.request.parts
        guard parts.count > 1 else { return parts.map(\.topic) }
        var seen: Set<TopicName> = []
        return parts.compactMap { seen.insert($0.topic).inserted ? $0.topic : nil }
    }
}
