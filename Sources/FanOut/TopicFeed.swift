internal import DequeModule
package import EventModel

/// One topic on one event loop: how far it has been fanned out, its newest events, and who follows
/// it.
package final class TopicFeed {
    package let topic: TopicName
    /// There is no log of it: what a reader does not get live, it does not get.
    package let isEphemeral: Bool
    package private(set) var epoch: Epoch
    /// The oldest offset that the log keeps, as far as this loop was told.
    package private(set) var earliest: Offset
    /// The last offset that was fanned out on this loop.
    package private(set) var head: Offset
    /// Everybody who follows, live or replaying, in no order.
    private(set) var readers: [TopicReader] = []
    /// When the last reader left; the feed is kept for a while, for those who reconnect.
    var idleSince: ContinuousClock.Instant?

    /// The epochs that ended while the topic was followed, oldest first, with the fork of each.
    private var ended: [(epoch: Epoch, fork: Offset)] = []
    /// The newest events without a hole; the last is `head`.
    private var recent = Deque<SharedEvent>()

    init(_ position: TopicPosition) {
        topic = position.topic
        isEphemeral = position.isEphemeral
        epoch = position.epoch
        earliest = position.earliest
        head = position.latest
    }

    package var position: TopicPosition {
        TopicPosition(
            topic: topic, epoch: epoch, earliest: isEphemeral ? head + 1 : min(earliest, head + 1),
            latest: head, isEphemeral: isEphemeral)
    }

    // MARK: Events

    /// Takes the next events, without those that were fanned out already.
    ///
    /// - Returns: What is new.
    func advance(_ events: [SharedEvent]) -> ArraySlice<SharedEvent> {
        guard let first = events.first, let last = events.last, last.offset > head else {
            return []
        }
        precondition(
            first.offset <= head + 1,
            "bug: \(topic) offset \(first.offset) fanned out behind \(head)")
        let new = events[Int(head + 1 - first.offset)...]
        if !isEphemeral { recent.append(contentsOf: new) }
        head = last.offset
        return new
    }

    /// The newest events behind `offset`; `nil` if they are not all in memory.
    func recentEvents(after offset: Offset) -> Deque<SharedEvent>.SubSequence? {
        guard let first = recent.first?.offset, offset + 1 >= first, offset < head else {
            return nil
        }
        return recent[(recent.startIndex + Int(offset + 1 - first))...]
    }

    /// Forgets the oldest event in memory; gives its size.
    func evictOldest() -> Int { recent.popFirst()?.countedBytes ?? 0 }

    /// Forgets all events in memory; gives their size.
    func evictAll() -> Int {
        let size = recent.reduce(0) { $0 + $1.countedBytes }
        recent = Deque()
        return size
    }

    /// Everything below `earliest` is gone, from memory too.
    ///
    /// - Returns: The bytes that were forgotten.
    func purge(below earliest: Offset) -> Int {
        self.earliest = max(self.earliest, earliest)
        var size = 0
        while let first = recent.first, first.offset < earliest { size += evictOldest() }
        return size
    }

    /// Goes on behind `offset`, whose events and those before it the log does not keep any more.
    ///
    /// - Returns: `false` if they were fanned out before.
    func skip(to offset: Offset) -> Bool {
        guard offset > head else { return false }
        head = offset
        return true
    }

    /// Goes on in another incarnation of the log, behind `fork`.
    func restart(_ position: TopicPosition, fork: Offset) {
        ended.append((epoch, fork))
        epoch = position.epoch
        earliest = position.earliest
        head = fork
    }

    /// Up to here, offsets mean the same now as in an epoch that this feed has had; `nil` if that
    /// has not ended.
    func fork(since epoch: Epoch) -> Offset? {
        guard let index = ended.firstIndex(where: { $0.epoch == epoch }) else { return nil }
        return ended[index...].map(\.fork).min()
    }

    // MARK: Readers

    func add(_ reader: TopicReader) {
        reader.slot = readers.count
        readers.append(reader)
        idleSince = nil
    }

    func remove(_ reader: TopicReader) {
        let slot = reader.slot
        precondition(readers[slot] === reader, "bug: \(topic) does not have this reader")
        let last = readers.removeLast()
        guard last !== reader else { return }
        readers[slot] = last
        last.slot = slot
    }
}
