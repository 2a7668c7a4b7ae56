internal import DequeModule
internal import EventModel

/// What waits for one session's socket, in order: events and notices, bounded by the session in
/// bytes.
package struct Backlog {
    /// A message, and the reader whose cursor it moved; none for notices and control messages.
    private struct Item {
        /// Bytes of the message that only this subscriber gets, before the shared ones.
        let own: [UInt8]
        let bytes: [UInt8]
        let reader: TopicReader?
        /// The reader's offset before this message, to fall back to when it is dropped.
        let before: Offset
        let isControl: Bool

        var size: Int { own.count + bytes.count }
    }

    private var items = Deque<Item>()
    /// Bytes of the first message that are sealed already; such a message is finished and never
    /// dropped.
    private var begun = 0
    /// Bytes that wait.
    package private(set) var byteCount = 0
    /// Bytes of control messages among them, which are outside the session's budget.
    package private(set) var controlByteCount = 0

    package var isEmpty: Bool { items.isEmpty }

    /// The most messages that waited since the backlog was empty.
    ///
    /// A deque keeps its storage; one that was long gives it back when it is empty.
    private var longest = 0
    private static let capacityKept = 64

    private var budgetedByteCount: Int { byteCount - controlByteCount }

    /// Does a message fit the budget, with the events and notices that wait? One alone always does.
    func hasRoom(for size: Int, bytesMax: Int) -> Bool {
        budgetedByteCount == 0 || budgetedByteCount + size <= bytesMax
    }

    /// An event or a gap: it moves the reader's cursor on from `before`, and may be dropped.
    ///
    /// `own` goes before the shared bytes and is part of the message.
    mutating func append(
        _ bytes: [UInt8], own: [UInt8] = [], of reader: TopicReader, before: Offset
    ) {
        append(
            Item(own: own, bytes: bytes, reader: reader, before: before, isControl: false))
        reader.subscription.waitingBytes += own.count + bytes.count
    }

    /// A notice that belongs to no reader; never dropped.
    mutating func append(notice bytes: [UInt8]) {
        append(Item(own: [], bytes: bytes, reader: nil, before: 0, isControl: false))
    }

    /// A reply or the like; never dropped, and outside the budget.
    mutating func append(control bytes: [UInt8]) {
        append(Item(own: [], bytes: bytes, reader: nil, before: 0, isControl: true))
        controlByteCount += bytes.count
    }

    private mutating func append(_ item: Item) {
        items.append(item)
        longest = max(longest, items.count)
        byteCount += item.size
    }

    /// Copies as much as fits to `record` and takes it out of the backlog.
    ///
    /// - Returns: The number of bytes copied; 0 when nothing waits.
    package mutating func fill(_ record: UnsafeMutableRawBufferPointer) -> Int {
        // Unsafe: the record is the loop's scratch for TLS plaintext; a copy through an array would
        // double the cost.
        var filled = 0
        while filled < record.count, let item = items.first {
            let size = item.size
            // What has begun is finished, so it is nothing that its subscription could drop.
            if begun == 0 { item.reader?.subscription.waitingBytes -= size }
            let count = min(size - begun, record.count - filled)
            let place = UnsafeMutableRawBufferPointer(rebasing: record[filled..<filled + count])
            Self.copy(item, from: begun, to: place)
            filled += count
            begun += count
            if begun == size { removeFirst() }
        }
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
        begun = 0
        guard items.isEmpty else { return }
        if longest > Self.capacityKept { items = Deque() }
        longest = 0
    }

    /// Takes out the oldest of what waits for the readers that `isDropped` names, at least `bytes` of
    /// it if there is as much, in one pass over everything that waits.
    ///
    /// In its place comes the message that `told` makes of the offsets, one for each reader; for
    /// one of which nothing else waits, `fallBack` is called instead, with the offset that it had
    /// before. A message that has begun stays.
    mutating func dropOldest(
        _ bytes: Int, where isDropped: (TopicReader) -> Bool,
        told: (TopicReader, ClosedRange<Offset>) -> [UInt8],
        fallBack: (TopicReader, Offset) -> Void
    ) {
        var kept: [Item?] = []
        // Of readers of which all was dropped so far: their first message.
        var first: [ObjectIdentifier: (place: Int, item: Item)] = [:]
        var dropped = 0
        for (index, item) in items.enumerated() {
            guard let reader = item.reader, isDropped(reader), index > 0 || begun == 0 else {
                kept.append(item)
                continue
            }
            let id = ObjectIdentifier(reader)
            if dropped < bytes {
                dropped += item.size
                count(item, -1)
                guard first[id] == nil else { continue }
                first[id] = (kept.count, item)
                kept.append(nil)
                continue
            }
            if let (place, start) = first.removeValue(forKey: id) {
                let message = Item(
                    own: [], bytes: told(reader, start.before + 1...item.before), reader: reader,
                    before: start.before, isControl: false)
                count(message, 1)
                kept[place] = message
            }
            kept.append(item)
        }
        items = Deque(kept.compactMap { $0 })
        for (_, item) in first.values.sorted(by: { $0.place < $1.place }) {
            if let reader = item.reader { fallBack(reader, item.before) }
        }
    }

    private mutating func count(_ item: Item, _ sign: Int) {
        byteCount += sign * item.size
        item.reader?.subscription.waitingBytes += sign * item.size
    }

    /// Takes out what waits for the readers that `isDropped` names, in one pass over everything
    /// that waits.
    ///
    /// Calls `fallBack` once for each, with the offset that it had before the first message
    /// dropped. A message that has begun stays.
    mutating func drop(
        where isDropped: (TopicReader) -> Bool, fallBack: (TopicReader, Offset) -> Void
    ) {
        var kept = Deque<Item>()
        var told: Set<ObjectIdentifier> = []
        for (index, item) in items.enumerated() {
            guard let reader = item.reader, isDropped(reader), index > 0 || begun == 0 else {
                kept.append(item)
                continue
            }
            count(item, -1)
            if told.insert(ObjectIdentifier(reader)).inserted { fallBack(reader, item.before) }
        }
        items = kept
    }
}
