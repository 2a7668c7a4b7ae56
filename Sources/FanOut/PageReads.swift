internal import EventModel

/// What a loop reads of the log: who waits for which page, and the pages that came a moment ago.
///
/// When thousands resume at the same place, it takes longer until all have asked than a read takes:
/// who asks a little later finds the page here.
struct PageReads {
    private struct Key: Hashable {
        let topic: TopicName
        let after: Offset
    }

    private var waiting: [Key: [TopicReader]] = [:]
    /// Oldest first.
    private var recent: [ArrivedPage] = []
    /// Readers whose read failed.
    private var failed: [TopicReader] = []
    /// At most 4 MiB with the default size of a page.
    private static let recentMax = 16
    /// Nothing is read ahead while so many pages are being read.
    private static let readsAheadMax = 8

    /// The page of a moment ago that goes on behind a cursor.
    func page(behind cursor: Offset, in feed: TopicFeed) -> ArrivedPage? {
        recent.last { $0.page.position.topic == feed.topic && $0.goesOn(behind: cursor, in: feed) }
    }

    /// The reader waits for what is behind its cursor.
    ///
    /// - Returns: `false` if that is being read.
    mutating func wait(_ reader: TopicReader) -> Bool {
        let key = Key(topic: reader.feed.topic, after: reader.cursor)
        let isNew = waiting[key] == nil
        waiting[key, default: []].append(reader)
        return isNew
    }

    /// What follows a page is to be read before somebody waits for it.
    ///
    /// - Returns: `false` if it need not be.
    mutating func readAhead(behind page: ArrivedPage, in feed: TopicFeed) -> Bool {
        let key = Key(topic: feed.topic, after: page.last)
        guard page.last < feed.head, feed.recentEvents(after: page.last) == nil,
            self.page(behind: page.last, in: feed) == nil,
            waiting.count < Self.readsAheadMax, waiting[key] == nil
        else { return false }
        waiting[key] = []
        return true
    }

    /// A read is over.
    ///
    /// - Returns: Who waits for it.
    mutating func ended(
        with page: ArrivedPage?, of topic: TopicName, after: Offset
    ) -> [TopicReader] {
        if let page, !page.events.isEmpty {
            if recent.count == Self.recentMax { recent.removeFirst() }
            recent.append(page)
        }
        return waiting.removeValue(forKey: Key(topic: topic, after: after)) ?? []
    }

    mutating func fail(_ reader: TopicReader) { failed.append(reader) }

    /// Forgets the pages of before the last tick.
    ///
    /// - Returns: Who is to ask again.
    mutating func tick(now: ContinuousClock.Instant) -> [TopicReader] {
        recent.removeAll { $0.tick < now }
        defer { failed = [] }
        return failed
    }
}

/// A page behind `after`, with its events as the subscribers of a loop share them; it counts into
/// the loop's budget as long as somebody holds it.
final class ArrivedPage {
    let page: ReplayPage
    let after: Offset
    let events: [SharedEvent]
    /// The tick behind which it came.
    let tick: ContinuousClock.Instant
    private let byteCount: Int
    private let budget: LoopBudget

    init(
        _ page: ReplayPage, after: Offset, tick: ContinuousClock.Instant,
        countedIn budget: LoopBudget
    ) {
        self.page = page
        self.after = after
        self.tick = tick
        self.budget = budget
        events = page.sharedEvents()
        byteCount = events.reduce(0) { $0 + $1.byteCount }
        budget.count += byteCount
    }

    deinit { budget.count -= byteCount }

    /// The offset of its first event; without any, everything is gone up to the topic's end.
    var first: Offset { events.first?.offset ?? page.position.latest + 1 }
    /// The offset behind which the next page begins.
    var last: Offset { events.last?.offset ?? max(after, page.position.latest) }

    /// Whether it says what comes behind the cursor: part of it may have been purged meanwhile, or
    /// the log goes on in another incarnation.
    func goesOn(behind cursor: Offset, in feed: TopicFeed) -> Bool {
        guard page.position.epoch == feed.epoch else { return false }
        guard !events.isEmpty else { return cursor == after }
        return after <= cursor && cursor < last && max(first, cursor + 1) >= feed.earliest
    }

    func events(behind cursor: Offset) -> ArraySlice<SharedEvent> {
        events.dropFirst(Int(max(cursor + 1 - first, 0)))
    }
}
