internal import DequeModule
internal import EventModel

/// Live events of one topic that wait for one subscription which does not read what it misses from
/// the log, and the offsets between them that it will not get (doc:Subscriptions, "Policies").
///
/// In order of offsets. Offsets that a filter passed over are not in it.
struct HeldEvents {
    /// An event, or, without one, offsets that will not come.
    private struct Entry {
        var offsets: ClosedRange<Offset>
        var event: SharedEvent?
        var reason: GapReason
    }

    /// What comes next.
    enum Next {
        case event(SharedEvent)
        case lost(ClosedRange<Offset>, GapReason)
    }

    private var entries = Deque<Entry>()
    /// Entries taken out at the front so far: with them, each has a number of its own.
    private var takenCount = 0
    /// The number of the entry of a key's newest event; some are gone.
    private var newest: [String?: Int] = [:]
    /// Nothing before this number is replaced any more.
    private var roundEnd = 0
    private(set) var eventCount = 0
    /// What the events count for in the session's budget.
    private(set) var byteCount = 0
    /// For each event beside its content.
    private static let eventBytes = 64

    var isEmpty: Bool { entries.isEmpty }

    static func size(of event: SharedEvent) -> Int { event.event.content.byteCount + eventBytes }

    // MARK: What comes

    /// The topic's next event.
    mutating func append(_ event: SharedEvent) {
        entries.append(Entry(offsets: event.offset...event.offset, event: event, reason: .overflow))
        eventCount += 1
        byteCount += Self.size(of: event)
    }

    /// The topic's next event, which replaces the one of its key; those without a key replace one
    /// another.
    mutating func conflate(_ event: SharedEvent) {
        let key = event.event.content.key
        if let number = newest[key], number >= max(takenCount, roundEnd) {
            lose(entryAt: number - takenCount)
        }
        newest[key] = takenCount + entries.count
        append(event)
        if entries.count > 2 * eventCount + Self.entriesMin { compact() }
    }

    private static let entriesMin = 8

    /// The next offsets, which will not come.
    mutating func appendLost(_ offsets: ClosedRange<Offset>, _ reason: GapReason) {
        if let last = entries.last, last.event == nil, last.reason == reason {
            entries[entries.count - 1].offsets = last.offsets.lowerBound...offsets.upperBound
        } else {
            entries.append(Entry(offsets: offsets, reason: reason))
        }
    }

    private mutating func lose(entryAt index: Int) {
        guard let event = entries[index].event else { return }
        eventCount -= 1
        byteCount -= Self.size(of: event)
        entries[index].event = nil
        entries[index].reason = .conflated
    }

    /// Joins what is lost to what is lost before it, so that there is no more of it than of events.
    private mutating func compact() {
        var kept = HeldEvents()
        var kinds: [(number: Int, key: String?)] = []
        for (index, entry) in entries.enumerated() {
            if let event = entry.event {
                if newest[event.event.content.key] == takenCount + index {
                    kinds.append((kept.entries.count, event.event.content.key))
                }
                kept.entries.append(entry)
            } else {
                kept.appendLost(entry.offsets, entry.reason)
            }
            if takenCount + index < roundEnd { kept.roundEnd = kept.entries.count }
        }
        entries = kept.entries
        takenCount = 0
        roundEnd = kept.roundEnd
        newest = [:]
        for (number, key) in kinds { newest[key] = number }
    }

    // MARK: What goes

    /// What waits is not replaced any more until it is taken, unless something of an earlier round
    /// still waits.
    ///
    /// So each key that has news has its turn once a round, however often others change.
    mutating func beginRound() {
        if roundEnd <= takenCount { roundEnd = takenCount + entries.count }
    }

    /// What comes next; what was lost for one reason comes at once.
    var next: Next? {
        guard let first = entries.first else { return nil }
        if let event = first.event { return .event(event) }
        var end = first.offsets.upperBound
        for entry in entries.dropFirst() {
            guard entry.event == nil, entry.reason == first.reason else { break }
            end = entry.offsets.upperBound
        }
        return .lost(first.offsets.lowerBound...end, first.reason)
    }

    /// Takes out what came next.
    mutating func removeNext() {
        guard let first = removeFirst(), first.event == nil else { return }
        while let entry = entries.first, entry.event == nil, entry.reason == first.reason {
            removeFirst()
        }
    }

    @discardableResult
    private mutating func removeFirst() -> Entry? {
        guard let entry = entries.popFirst() else { return nil }
        if let event = entry.event {
            eventCount -= 1
            byteCount -= Self.size(of: event)
            let key = event.event.content.key
            if newest[key] == takenCount { newest[key] = nil }
        }
        takenCount += 1
        return entry
    }

    /// Gives up the older half of the events, or all; a gap, `overflow`, is in their place.
    mutating func dropOldest(all: Bool = false) {
        guard let first = entries.first, eventCount > (all ? 0 : 1) else { return }
        let enough = all ? 0 : byteCount / 2
        var end = first.offsets.upperBound
        while byteCount > enough, eventCount > (all ? 0 : 1), let entry = removeFirst() {
            end = entry.offsets.upperBound
        }
        takenCount -= 1
        entries.prepend(
            Entry(offsets: first.offsets.lowerBound...end, event: nil, reason: .overflow))
    }

    /// Gives up everything, of which nothing is told.
    mutating func removeAll() { self = HeldEvents() }
}
