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

    /// What the topics of a request's parts are; `nil` if that is not known.
    package struct Entries: Sendable {
        fileprivate var first: CatalogEntry?
        fileprivate var others: [CatalogEntry?] = []

        package subscript(part: Int) -> CatalogEntry? { part == 0 ? first : others[part - 1] }
    }

    private struct Waiting {
        var pending: PendingAppend
        var stake: AppendLoad.Stake
    }

    /// A request's place in a line; it is not there any more when another has its slot.
    private struct Ticket {
        var slot: Int
        var number: Int
    }

    private struct Line {
        var topic: TopicName
        var tickets: Deque<Ticket> = []
        /// What its topic is, in the batch that was formed last with it.
        var entry: CatalogEntry?
        var batch = 0
    }

    private let eventsMax: Int
    private let bytesMax: Int
    private var load: AppendLoad
    /// By slot, which tickets name.
    private var requests: [Waiting?] = []
    private var freeSlots: [Int] = []
    /// By number, which everything else names.
    private var lines: [Line] = []
    private var freeLines: [Int] = []
    private var lineOf: [TopicName: Int] = [:]
    /// Lines in the order of their turns.
    ///
    /// An emptied line stays until its turn.
    private var turns: Deque<Int> = []
    /// Lines that have no turns, by the topic that they wait for.
    private var held: [TopicName: [Int]] = [:]
    /// Of the batch that is being formed.
    private var batchNumber = 0
    /// Of the request that came last: requests are numbered as they come, from 1.
    package private(set) var lastNumber = 0

    package init(eventsMax: Int, bytesMax: Int) {
        self.eventsMax = eventsMax
        self.bytesMax = bytesMax
        load = AppendLoad(eventsMax: eventsMax, bytesMax: bytesMax)
    }

    package var isEmpty: Bool { requests.count == freeSlots.count }
    /// A batch could take no more than what waits already.
    var fillsBatch: Bool {
        load.total.events >= Self.batchEventsMax || load.total.bytes >= Self.batchBytesMax
    }

    /// A line that is empty may count, until its turn.
    func hasLine(of topic: TopicName) -> Bool {
        lineOf[topic].map { !lines[$0].tickets.isEmpty } ?? false
    }

    package var eventCount: Int { load.total.events }
    package var byteCount: Int { load.total.bytes }

    /// Takes a request in.
    ///
    /// Whatever its size, a request fits into an empty queue.
    /// - Throws: `publisher_overloaded` when the queue is full, `rate_limited` when its topic or
    ///   publisher has its share of it.
    package mutating func enqueue(_ pending: PendingAppend) throws(BrokerError) {
        let stake = stake(of: pending)
        try load.check(stake, of: pending)
        lastNumber += 1
        var pending = pending
        pending.number = lastNumber
        add(pending, stake) { tickets, ticket in
            if tickets.last?.number != ticket.number { tickets.append(ticket) }
        }
    }

    /// Takes back, in their order, requests that were taken and not appended: they are the first of
    /// their lines again.
    package mutating func putBack(_ taken: [PendingAppend]) {
        for pending in taken.reversed() {
            add(pending, stake(of: pending)) { tickets, ticket in
                if tickets.first?.number != ticket.number { tickets.prepend(ticket) }
            }
        }
    }

    private func stake(of pending: PendingAppend) -> AppendLoad.Stake {
        load.stake(of: pending, lines: lineOf)
    }

    /// `place`: Puts the ticket into a line, where it may be already.
    private mutating func add(
        _ pending: PendingAppend, _ stake: AppendLoad.Stake,
        place: (inout Deque<Ticket>, Ticket) -> Void
    ) {
        var stake = stake
        let slot = freeSlots.popLast() ?? requests.count
        if slot == requests.count { requests.append(nil) }
        let ticket = Ticket(slot: slot, number: pending.number)
        for part in 0..<stake.count {
            let line = stake[part].line ?? line(of: pending.parts[part].topic)
            stake[part].line = line
            place(&lines[line].tickets, ticket)
        }
        load.add(&stake, of: pending)
        requests[slot] = Waiting(pending: pending, stake: stake)
    }

    /// A topic's line, which gets a turn if it is new.
    private mutating func line(of topic: TopicName) -> Int {
        if let line = lineOf[topic] { return line }
        let line = freeLines.popLast() ?? lines.count
        if line == lines.count {
            lines.append(Line(topic: topic))
        } else {
            lines[line] = Line(topic: topic)
        }
        lineOf[topic] = line
        turns.append(line)
        return line
    }

    /// Forms the next batch: at most `batchEventsMax` events and `batchBytesMax` bytes, or one
    /// larger request.
    ///
    /// - Parameters:
    ///   - requestsMax: Of the batch, at least 1.
    ///   - entry: Asked once of each topic.
    ///   - verdict: Asked of each request before it is taken; with the entry of the topic of each
    ///     part.
    /// - Returns: Nothing if none waits that may be taken.
    package mutating func takeBatch(
        requestsMax: Int = .max, entry: (TopicName) -> CatalogEntry? = { _ in nil },
        _ verdict: (PendingAppend, Entries) -> Verdict = { _, _ in .take }
    ) -> [PendingAppend] {
        var batch: [PendingAppend] = []
        batch.reserveCapacity(
            min(requestsMax, requests.count - freeSlots.count, Self.batchEventsMax))
        var taken = AppendAmount()
        var skipped = 0
        batchNumber += 1
        while skipped < turns.count, batch.count < requestsMax, let line = turns.first {
            guard let slot = first(of: line), let waiting = requests[slot] else {
                turns.removeFirst()
                drop(line)
                continue
            }
            guard isFirst(slot, waiting.stake) else {
                // An older request waits in another of its lines; that one's turn comes.
                turns.append(turns.removeFirst())
                skipped += 1
                continue
            }
            let pending = waiting.pending
            switch verdict(pending, entries(of: waiting.stake, entry)) {
            case .hold(let obstacle):
                turns.removeFirst()
                held[obstacle, default: []].append(line)
            case .drop:
                remove(slot, waiting)
                skipped = 0
            case .take:
                let fits =
                    taken.events + pending.eventCount <= Self.batchEventsMax
                    && taken.bytes + pending.byteCount <= Self.batchBytesMax
                guard batch.isEmpty || fits else { return batch }
                remove(slot, waiting)
                turns.append(turns.removeFirst())
                taken += waiting.stake.amount
                batch.append(pending)
                skipped = 0
            }
        }
        return batch
    }

    /// The slot of the first of a line; those before it that left the queue are cleared away.
    private mutating func first(of line: Int) -> Int? {
        while let ticket = lines[line].tickets.first {
            if requests[ticket.slot]?.pending.number == ticket.number { return ticket.slot }
            lines[line].tickets.removeFirst()
        }
        return nil
    }

    /// Whether the request is first in all its lines.
    private mutating func isFirst(_ slot: Int, _ stake: AppendLoad.Stake) -> Bool {
        guard stake.count > 1 else { return true }
        return (0..<stake.count).allSatisfy { part in
            stake[part].line.map { first(of: $0) == slot } ?? false
        }
    }

    private mutating func entries(
        of stake: AppendLoad.Stake, _ look: (TopicName) -> CatalogEntry?
    ) -> Entries {
        var entries = Entries(first: stake.first.line.flatMap { entry(of: $0, look) })
        for claim in stake.others {
            entries.others.append(claim.line.flatMap { entry(of: $0, look) })
        }
        return entries
    }

    /// What the line's topic is in this batch, whatever is learned of it meanwhile.
    private mutating func entry(
        of line: Int, _ look: (TopicName) -> CatalogEntry?
    ) -> CatalogEntry? {
        if lines[line].batch != batchNumber {
            lines[line].batch = batchNumber
            lines[line].entry = look(lines[line].topic)
        }
        return lines[line].entry
    }

    /// An empty line has no turn any more.
    private mutating func drop(_ line: Int) {
        lineOf[lines[line].topic] = nil
        lines[line].tickets = []
        freeLines.append(line)
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
        let tickets = lineOf[topic].map { lines[$0].tickets } ?? []
        var chosen: [PendingAppend] = []
        for ticket in tickets.prefix(while: { $0.number <= number }) {
            guard let waiting = waiting(ticket), isChosen(waiting.pending) else { continue }
            remove(ticket.slot, waiting)
            chosen.append(waiting.pending)
        }
        return chosen
    }

    /// Changes a request to the topic that waits; nothing if it is gone.
    package mutating func update(
        _ number: Int, of topic: TopicName, _ change: (inout PendingAppend) -> Void
    ) {
        guard let ticket = ticket(number, of: topic), var waiting = waiting(ticket) else { return }
        change(&waiting.pending)
        requests[ticket.slot] = waiting
    }

    /// Takes a request to the topic out that waits; `nil` if it is gone.
    package mutating func remove(_ number: Int, of topic: TopicName) -> PendingAppend? {
        guard let ticket = ticket(number, of: topic), let waiting = waiting(ticket) else {
            return nil
        }
        remove(ticket.slot, waiting)
        return waiting.pending
    }

    /// Who is asked about was the first of the line, so that few are before it.
    private func ticket(_ number: Int, of topic: TopicName) -> Ticket? {
        lineOf[topic].flatMap { line in lines[line].tickets.first { $0.number == number } }
    }

    private func waiting(_ ticket: Ticket) -> Waiting? {
        requests[ticket.slot].flatMap { $0.pending.number == ticket.number ? $0 : nil }
    }

    /// Empties the queue, for answers that are the same for all.
    package mutating func takeAll() -> [PendingAppend] {
        let all = requests.compactMap { $0?.pending }.sorted { $0.number < $1.number }
        let number = lastNumber
        self = AppendQueue(eventsMax: eventsMax, bytesMax: bytesMax)
        lastNumber = number
        return all
    }

    /// Its tickets stay in the lines until they are the first there.
    private mutating func remove(_ slot: Int, _ waiting: Waiting) {
        requests[slot] = nil
        freeSlots.append(slot)
        load.remove(waiting.stake)
        for part in 0..<waiting.stake.count {
            guard let line = waiting.stake[part].line else { continue }
            if lines[line].tickets.first?.number == waiting.pending.number {
                lines[line].tickets.removeFirst()
            }
        }
    }
}
