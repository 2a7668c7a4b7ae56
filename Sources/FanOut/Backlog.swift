internal import DequeModule
internal import EventModel

/// What waits for one session's socket, in order: events and notices, bounded by the session in
/// bytes.
package struct Backlog {
    /// A message, and the subscription and the topic in which it moved the cursor; none for notices
    /// and control messages.
    private struct Item {
        /// Bytes of the message that only this subscriber gets, before the shared ones.
        var own: [UInt8] = []
        let bytes: [UInt8]
        var subscription: Subscription?
        var feed: TopicFeed?
        /// The subscription's offset before this message, to fall back to when it is dropped.
        var before: Offset = 0
        var kind = Kind.notice

        var size: Int { own.count + bytes.count }
        var isControl: Bool { kind == .control }
    }

    private enum Kind {
        /// It takes one of the subscription's credit.
        case event
        case notice
        /// Outside the session's budget.
        case control
    }

    /// A subscription in a topic.
    private struct Place: Hashable {
        let subscription: ObjectIdentifier
        let feed: ObjectIdentifier

        init(_ subscription: Subscription, _ feed: TopicFeed) {
            self.subscription = ObjectIdentifier(subscription)
            self.feed = ObjectIdentifier(feed)
        }
    }

    private var items = Deque<Item>()
    /// Bytes of the first message that are sealed already; such a message is finished and never
    /// dropped.
    private var begun = 0
    /// Bytes that wait.
    package private(set) var byteCount = 0 { didSet { all.count += byteCount - oldValue } }
    /// What waits on the loop.
    private let all: LoopBudget
    /// Bytes of control messages among them, which are outside the session's budget.
    package private(set) var controlByteCount = 0

    package var isEmpty: Bool { items.isEmpty }

    init(countedIn all: LoopBudget) { self.all = all }

    /// The most messages that waited since the backlog was empty.
    ///
    /// A deque keeps its storage; one that was long gives it back when it is empty.
    private var longest = 0
    private static let capacityKept = 64

    /// Bytes of events and notices.
    var budgetedByteCount: Int { byteCount - controlByteCount }

    /// An event, which moves the subscription's cursor in the topic on from `before`, takes one of
    /// its credit, and may be dropped.
    ///
    /// `own` goes before the shared bytes and is part of the message.
    mutating func append(
        event bytes: [UInt8], own: [UInt8], of subscription: Subscription, in feed: TopicFeed,
        before: Offset
    ) {
        append(
            Item(
                own: own, bytes: bytes, subscription: subscription, feed: feed, before: before,
                kind: .event))
    }

    /// A gap or the like, which moves the cursor and may be dropped like an event.
    mutating func append(
        _ bytes: [UInt8], of subscription: Subscription, in feed: TopicFeed, before: Offset
    ) {
        append(Item(bytes: bytes, subscription: subscription, feed: feed, before: before))
    }

    /// A notice that belongs to no topic; never dropped.
    mutating func append(notice bytes: [UInt8]) { append(Item(bytes: bytes)) }

    /// A reply or the like, as it is sent; never dropped, and outside the budget.
    mutating func append(control bytes: [UInt8]) {
        append(Item(bytes: bytes, kind: .control))
        controlByteCount += bytes.count
    }

    private mutating func append(_ item: Item) {
        items.append(item)
        longest = max(longest, items.count)
        count(item, 1)
    }

    /// Counts a message that comes into the backlog, or, with `sign` -1, is dropped from it.
    private mutating func count(_ item: Item, _ sign: Int) {
        byteCount += sign * item.size
        Self.countPlace(of: item, sign)
    }

    private static func countPlace(of item: Item, _ sign: Int) {
        guard let subscription = item.subscription else { return }
        subscription.waitingBytes += sign * item.size
        item.feed?.waitingCount += sign
        if item.kind == .event { subscription.credit.spend(sign) }
    }

    /// Copies as much as fits to `record` and takes it out of the backlog.
    ///
    /// With `joining`, events and notices are bare messages, and control messages whole texts. As
    /// many of the former as fit are one text, and one that is larger than a record is a text of
    /// its own, over several of them.
    ///
    /// - Returns: The number of bytes copied; 0 when nothing waits.
    package mutating func fill(
        _ record: UnsafeMutableRawBufferPointer, joining: Joining? = nil
    ) -> Int {
        // Unsafe: the record is the loop's scratch for TLS plaintext; a copy through an array would
        // double the cost.
        var filled = 0
        while filled < record.count, !items.isEmpty {
            let rest = UnsafeMutableRawBufferPointer(rebasing: record[filled...])
            if let joining, begun == 0, !items[0].isControl {
                let count = join(into: rest, joining, isWholeRecord: filled == 0)
                if count == 0 { break }
                filled += count
            } else {
                filled += copyFirst(to: rest)
            }
        }
        return filled
    }

    /// Copies what fits of the first message, behind what is sealed of it already.
    private mutating func copyFirst(to place: UnsafeMutableRawBufferPointer) -> Int {
        let item = items[0]
        let size = item.size
        // What has begun is finished, so it is nothing that its subscription could drop.
        if begun == 0 { item.subscription?.waitingBytes -= size }
        let count = min(size - begun, place.count)
        Self.copy(
            item, from: begun, to: UnsafeMutableRawBufferPointer(rebasing: place[..<count]))
        begun += count
        if begun == size { removeFirst() }
        return count
    }

    /// Makes one text of the bare messages that wait first and fit.
    ///
    /// - Returns: 0 if the first one does not fit into the rest of a record.
    private mutating func join(
        into place: UnsafeMutableRawBufferPointer, _ joining: Joining, isWholeRecord: Bool
    ) -> Int {
        let room = place.count - joining.headerBytesMax
        precondition(room > 0 || !isWholeRecord, "bug: a record that holds no header")
        var (count, bytes) = (0, 0)
        while count < items.count, !items[count].isControl {
            let more = bytes + items[count].size
            guard joining.textBytes(messages: count + 1, bytes: more) <= room else { break }
            (count, bytes) = (count + 1, more)
        }
        guard count > 0 || isWholeRecord else { return 0 }
        let length =
            count > 0 ? joining.textBytes(messages: count, bytes: bytes) : items[0].size
        var filled = joining.writeHeader(length, place)
        func put(_ bytes: [UInt8]) {
            UnsafeMutableRawBufferPointer(rebasing: place[filled...]).copyBytes(from: bytes)
            filled += bytes.count
        }
        if count > 1 { put(joining.list.opening) }
        // One that is too large begins here and goes on in the next records.
        for index in 0..<max(count, 1) {
            if index > 0 { put(joining.list.separator) }
            filled += copyFirst(to: UnsafeMutableRawBufferPointer(rebasing: place[filled...]))
        }
        if count > 1 { put(joining.list.closing) }
        return filled
    }

    /// Fills `place` with the message's bytes behind the first `start`.
    private static func copy(
        _ item: Item, from start: Int, to place: UnsafeMutableRawBufferPointer
    ) {
        let ownCount = min(max(item.own.count - start, 0), place.count)
        if ownCount > 0 {
            place.copyBytes(from: item.own[start..<start + ownCount])
        }
        let rest = UnsafeMutableRawBufferPointer(rebasing: place[ownCount...])
        guard !rest.isEmpty else { return }
        let sharedStart = start + ownCount - item.own.count
        item.bytes.withUnsafeBytes { shared in
            rest.copyMemory(
                from: UnsafeRawBufferPointer(
                    rebasing: shared[sharedStart..<sharedStart + rest.count]))
        }
    }

    private mutating func removeFirst() {
        let item = items.removeFirst()
        byteCount -= begun
        if item.isControl { controlByteCount -= begun }
        item.feed?.waitingCount -= 1
        begun = 0
        guard items.isEmpty else { return }
        if longest > Self.capacityKept { items = Deque() }
        longest = 0
    }

    /// Takes out what waits of the subscriptions and topics that `isDropped` names, in one pass
    /// over everything that waits.
    ///
    /// Calls `fallBack` once for each, with the offset that the subscription had before the first
    /// message dropped. A message that has begun stays.
    mutating func drop(
        where isDropped: (Subscription, TopicFeed) -> Bool,
        fallBack: (Subscription, TopicFeed, Offset) -> Void = { _, _, _ in }
    ) {
        var kept = Deque<Item>()
        var told: Set<Place> = []
        var dropped = 0
        for (index, item) in items.enumerated() {
            guard let subscription = item.subscription, let feed = item.feed,
                isDropped(subscription, feed), index > 0 || begun == 0
            else {
                kept.append(item)
                continue
            }
            dropped += item.size
            Self.countPlace(of: item, -1)
            if told.insert(Place(subscription, feed)).inserted {
                fallBack(subscription, feed, item.before)
            }
        }
        items = kept
        byteCount -= dropped
    }

    /// Takes out everything: there is no socket any more.
    mutating func removeAll() {
        for item in items { item.feed?.waitingCount -= 1 }
        byteCount = 0
        self = Backlog(countedIn: all)
    }
}
