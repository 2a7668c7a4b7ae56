internal import DequeModule
internal import EventModel

/// The readers of one session that are behind: how many there are, whose turn it is to be refilled,
/// and for how many the log is being read.
///
/// A topic that grows faster than the socket takes it must not starve the others, so they have
/// turns. Who is being read for waits for the page instead, and who has no credit or must wait for
/// his rate is parked.
struct RefillQueue {
    /// Readers that are behind, over all subscriptions, new topics' included.
    private(set) var readerCount = 0
    private var parkedCount = 0
    /// Pages under way, or held; bounded, so that they fit the budget.
    private var readCount = 0
    /// Who holds a page.
    private(set) var holders: [TopicReader] = []
    private var queue = Deque<TopicReader>()
    /// Those in the queue that are not behind any more; fewer than the others, or taken out.
    private var staleCount = 0
    private static let readsMax = 2
    /// Those for whom no page may be read yet, in turn.
    private var waitingForRead = Deque<TopicReader>()

    /// Nobody waits for a turn or a page.
    var isEmpty: Bool { readerCount == parkedCount }

    // MARK: Who is behind

    /// The reader is behind from now on.
    mutating func began(_ reader: TopicReader) {
        readerCount += 1
        // One for whom a page is being read has a turn when it has come.
        if reader.turn == .queued { staleCount -= 1 } else { enqueue(reader) }
    }

    /// The reader, which was behind, is live, or has left.
    mutating func ended(_ reader: TopicReader) {
        readerCount -= 1
        drop(reader)
        switch reader.turn {
        case .none, .reading: break
        case .waitingForRead:
            reader.turn = .none
            waitingForRead.removeAll { $0 === reader }
        case .parked:
            reader.turn = .none
            parkedCount -= 1
        case .queued:
            staleCount += 1
            guard staleCount * 2 > queue.count else { return }
            queue.removeAll { reader in
                if !reader.isBehind { reader.turn = .none }
                return !reader.isBehind
            }
            staleCount = 0
        }
    }

    // MARK: Turns

    /// Whose turn it is.
    mutating func next() -> TopicReader? {
        while let reader = queue.first {
            if reader.isBehind { return reader }
            queue.removeFirst().turn = .none
            staleCount -= 1
        }
        return nil
    }

    /// The one that `next` gave has had its turn.
    mutating func nextServed() { queue.removeFirst().turn = .none }

    /// The reader, which is behind, has another turn after the others.
    mutating func enqueue(_ reader: TopicReader) {
        guard reader.turn == .none else { return }
        reader.turn = .queued
        queue.append(reader)
    }

    /// The reader, which has had its turn, has no other until `unpark`.
    mutating func park(_ reader: TopicReader) {
        guard reader.turn == .none else { return }
        reader.turn = .parked
        parkedCount += 1
    }

    /// - Returns: `true` if it was parked, and has a turn now.
    @discardableResult
    mutating func unpark(_ reader: TopicReader) -> Bool {
        guard reader.turn == .parked else { return false }
        reader.turn = .none
        parkedCount -= 1
        enqueue(reader)
        return true
    }

    // MARK: Reads

    /// The reader, which has had its turn, is to have a page.
    ///
    /// - Returns: `false` if there are too many already; it has another turn when one is over.
    mutating func beginRead(for reader: TopicReader) -> Bool {
        guard readCount < Self.readsMax else {
            reader.turn = .waitingForRead
            waitingForRead.append(reader)
            return false
        }
        readCount += 1
        reader.turn = .reading
        return true
    }

    /// The page need not be read.
    mutating func hold(_ page: ArrivedPage, for reader: TopicReader) {
        reader.turn = .none
        reader.page = page
        holders.append(reader)
    }

    /// The read for the reader is over; it has another turn, if it is still behind.
    mutating func readEnded(with page: ArrivedPage?, for reader: TopicReader) {
        reader.turn = .none
        if let page, reader.standing == .replaying {
            hold(page, for: reader)
        } else {
            release()
        }
        if reader.isBehind { enqueue(reader) }
    }

    /// The reader needs its page no more.
    mutating func drop(_ reader: TopicReader) {
        guard reader.page != nil else { return }
        reader.page = nil
        holders.removeAll { $0 === reader }
        release()
    }

    private mutating func release() {
        readCount -= 1
        guard let next = waitingForRead.popFirst() else { return }
        next.turn = .none
        enqueue(next)
    }
}
