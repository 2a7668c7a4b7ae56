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

    private struct Read {
        /// How many pages it is as long as.
        var pages = 1
        var isAhead = false
        var readers: [TopicReader] = []
    }

    private var reads: [Key: Read] = [:]
    /// Oldest first.
    private var recent: [ArrivedPage] = []
    /// Pages that the recent ones are as long as.
    private var recentPages = 0
    /// Readers whose read failed.
    private var failed: [TopicReader] = []
    /// At most 4 MiB with the default size of a page.
    private static let recentPagesMax = 16
    /// Nothing is read ahead while so many pages are being read.
    private static let readsAheadMax = 8
    /// How many pages one is as long as at the most, that is read ahead: 2 MiB with the default
    /// size.
    private static let pagesAheadMax = 8

    /// The page of a moment ago that goes on behind a cursor.
    func page(behind cursor: Offset, in feed: TopicFeed) -> ArrivedPage? {
        recent.last { $0.page.position.topic == feed.topic && $0.goesOn(behind: cursor, in: feed) }
    }

    /// The reader waits for what is behind its cursor.
    ///
    /// - Returns: `false` if that is being read.
    mutating func wait(_ reader: TopicReader) -> Bool {
        let key = Key(topic: reader.feed.topic, after: reader.cursor)
        let isNew = reads[key] == nil
        reads[key, default: Read()].readers.append(reader)
        return isNew
    }

    /// What follows a page is to be read before somebody waits for it.
    ///
    /// - Returns: How many pages it is to be as long as; `nil` if it need not be read.
    mutating func readAhead(
        behind page: ArrivedPage, in feed: TopicFeed, mayGrow: Bool
    ) -> Int? {
        let key = Key(topic: feed.topic, after: page.last)
        guard page.last < feed.head, feed.recentEvents(after: page.last) == nil,
            self.page(behind: page.last, in: feed) == nil,
            reads.count < Self.readsAheadMax, reads[key] == nil
        else { return nil }
        // Readers who waited for it take a page in less time than the log needs for one.
        let grown = page.wasAwaitedAhead ? page.pages * 2 : page.pages
        let pages = mayGrow ? min(grown, Self.pagesAheadMax) : 1
        reads[key] = Read(pages: pages, isAhead: true)
        return pages
    }

    /// A read is over.
    ///
    /// - Returns: Who waits for it.
    mutating func ended(
        with page: ArrivedPage?, of topic: TopicName, after: Offset
    ) -> [TopicReader] {
        let read = reads.removeValue(forKey: Key(topic: topic, after: after)) ?? Read()
        if let page, !page.events.isEmpty {
            page.pages = read.pages
            page.wasAwaitedAhead = read.isAhead && !read.readers.isEmpty
            recent.append(page)
            recentPages += page.pages
            while recentPages > Self.recentPagesMax { recentPages -= recent.removeFirst().pages }
        }
        return read.readers
    }

    mutating func fail(_ reader: TopicReader) { failed.append(reader) }

    /// Forgets the pages of before the last tick.
    ///
    /// - Returns: Who is to ask again.
    mutating func tick(now: ContinuousClock.Instant) -> [TopicReader] {
        recent.removeAll { $0.tick < now }
        recentPages = recent.reduce(0) { $0 + $1.pages }
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
    /// How many pages it may be as long as.
    var pages = 1
    /// It was read ahead, and somebody has waited for it all the same.
    var wasAwaitedAhead = false
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
