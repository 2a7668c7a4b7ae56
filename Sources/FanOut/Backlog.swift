internal import DequeModule
package import EventModel

/// What waits for one session's socket, in order: events and notices, bounded by the session in
/// bytes.
package struct Backlog {
    /// A message moves a subscription's cursor on in a topic.
    struct Step {
        let subscription: Subscription
        let feed: TopicFeed
        /// The subscription's offset before this message, to fall back to when it is dropped.
        let before: Offset
        /// The last offset that its client has consumed with this message.
        let after: Offset
    }

    private struct Item {
        /// Bytes of the message that only this subscriber gets, before the shared ones.
        var own: [UInt8] = []
        let bytes: [UInt8]
        /// None for control messages, and for notices that belong to no topic, or are never
        /// dropped.
        var step: Step?
        var kind = Kind.notice
        /// Nothing goes out behind it.
        var isLast = false

        var size: Int { own.count + bytes.count }
        var isControl: Bool { kind == .control }
    }

    private enum Kind {
        /// It takes one of the subscription's credit.
        case event
        case notice
        /// A notice that sets the client's cursor in a topic anew.
        case reset
        /// Outside the session's budget.
        case control
    }

    /// Makes bytes that go before a message with which the client has consumed a topic up to
    /// `cursor`, or forgets it (`nil`).
    ///
    /// Called when the message goes out, for each that does, in that order: so it may tell where
    /// the client stands in all topics. What is dropped before it has begun, it is not told of.
    package typealias Mark = (_ topic: TopicName, _ cursor: Cursor?) -> [UInt8]

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
    /// Its bytes are in no budget, as nothing waits that is made of them.
    var mark: Mark?
    /// Where the resets lead that wait, in their order; kept for `mark` alone.
    private var resets = Deque<(topic: TopicName, cursor: Cursor?)>()
    /// A message has gone out behind which nothing may.
    private var isAtEnd = false

    package var isEmpty: Bool { items.isEmpty }

    init(countedIn all: LoopBudget) { self.all = all }

    /// The most messages that waited since the backlog was empty.
    ///
    /// A deque keeps its storage; one that was long gives it back when it is empty.
    private var longest = 0
    private static let capacityKept = 64

    /// Bytes of events and notices.
    var budgetedByteCount: Int { byteCount - controlByteCount }

    /// An event, which takes one of its subscription's credit, and may be dropped.
    ///
    /// `own` goes before the shared bytes and is part of the message.
    mutating func append(event bytes: [UInt8], own: [UInt8], _ step: Step) {
        append(Item(own: own, bytes: bytes, step: step, kind: .event))
    }

    /// A gap or the like, which moves the cursor and may be dropped like an event.
    mutating func append(_ bytes: [UInt8], _ step: Step, isLast: Bool = false) {
        append(Item(bytes: bytes, step: step, isLast: isLast))
    }

    /// A notice that belongs to no topic; never dropped.
    mutating func append(notice bytes: [UInt8]) { append(Item(bytes: bytes)) }

    /// A reset, which leads to `cursor` in the topic, or out of it; never dropped.
    mutating func append(
        reset bytes: [UInt8], of topic: TopicName, to cursor: Cursor?, isLast: Bool
    ) {
        if mark != nil { resets.append((topic, cursor)) }
        append(Item(bytes: bytes, kind: .reset, isLast: isLast))
    }

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
        guard let step = item.step else { return }
        step.subscription.waitingBytes += sign * item.size
        step.feed.waitingCount += sign
        if item.kind == .event { step.subscription.credit.spend(sign) }
    }

    /// Copies as much as fits to `record` and takes it out of the backlog.
    ///
    /// With `joining`, events and notices are bare messages, and control messages whole texts. As
    /// many of the former as fit are one text, and one that is larger than a record is a text of
    /// its own, over several of them.
    ///
    /// - Returns: The number of bytes copied; 0 when nothing waits that may go out.
    package mutating func fill(
        _ record: UnsafeMutableRawBufferPointer, joining: Joining? = nil
    ) -> Int {
        // Unsafe: the record is the loop's scratch for TLS plaintext; a copy through an array would
        // double the cost.
        var filled = 0
        while filled < record.count, !items.isEmpty, !isAtEnd {
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
        var item = items[0]
        if begun == 0 {
            // What has begun is finished, so it is nothing that its subscription could drop.
            item.step?.subscription.waitingBytes -= item.size
            if let mark { begin(&item, with: mark) }
        }
        let size = item.size
        let count = min(size - begun, place.count)
        Self.copy(
            item, from: begun, to: UnsafeMutableRawBufferPointer(rebasing: place[..<count]))
        begun += count
        if begun == size { removeFirst() }
        return count
    }

    /// Puts the mark in front of the first message, if it moves the client on.
    private mutating func begin(_ item: inout Item, with mark: Mark) {
        let bytes: [UInt8]
        if let step = item.step {
            bytes = mark(step.feed.topic, Cursor(epoch: step.feed.epoch, offset: step.after))
        } else if item.kind == .reset, let reset = resets.popFirst() {
            bytes = mark(reset.topic, reset.cursor)
        } else {
            return
        }
        item.own = bytes + item.own
        items[0].own = item.own
        byteCount += bytes.count
    }

    /// Whether a message has gone out behind which nothing may; told once, and then the rest may.
    package mutating func takeEnd() -> Bool {
        defer { isAtEnd = false }
        return isAtEnd
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
        item.step?.feed.waitingCount -= 1
        if item.isLast { isAtEnd = true }
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
            guard let step = item.step, isDropped(step.subscription, step.feed),
                index > 0 || begun == 0
            else {
                kept.append(item)
                continue
            }
            dropped += item.size
            Self.countPlace(of: item, -1)
            if told.insert(Place(step.subscription, step.feed)).inserted {
                fallBack(step.subscription, step.feed, step.before)
            }
        }
        items = kept
        byteCount -= dropped
    }

    /// Takes out everything: there is no socket any more.
    mutating func removeAll() {
        for item in items { item.step?.feed.waitingCount -= 1 }
        byteCount = 0
        self = Backlog(countedIn: all)
    }
}
