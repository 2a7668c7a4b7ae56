internal import DequeModule
package import EventModel

/// One topic on one event loop: how far it has been fanned out, its newest events, and who is behind
/// in it.
///
/// Made when the topic's first event comes, or when somebody needs it.
package final class TopicFeed {
    package let topic: TopicName
    /// There is no log of it: what a reader does not get live, it does not get.
    package let isEphemeral: Bool
    package private(set) var epoch: Epoch
    /// The oldest offset that the log keeps, as far as this loop was told.
    package private(set) var earliest: Offset
    /// The last offset that was fanned out on this loop.
    package private(set) var head: Offset
    /// Everybody who has a place of his own here, in no order; the others are live.
    private(set) var readers: [TopicReader] = []
    /// Messages of it that wait for sockets.
    var waitingCount = 0
    /// The topic's own policy, and the tick as of which it was looked up.
    var overflow: (policy: OverflowPolicy?, tick: ContinuousClock.Instant)?
    /// The groups whose patterns match, as of a version of all groups.
    var groups: (found: [SubscriptionGroup], version: Int)?
    /// The topic is gone; one that is dropped for other reasons may come again.
    package internal(set) var hasEnded = false
    /// The loop has asked to follow it by name.
    var isFollowedByName = false
    /// Made by a walk, which passes it by: not kept for those who reconnect.
    var isPassing = false
    /// It is kept for a while after that.
    var lastNeeded: ContinuousClock.Instant
    /// Where it stood before what came first behind the walks of these numbers, which ascend.
    private var heads: [(walk: Int, before: Offset)] = []

    /// The epochs that ended while the topic was followed, oldest first, with the fork of each.
    private var ended: [(epoch: Epoch, fork: Offset)] = []
    /// The newest events without a hole; the last is `head`.
    private var recent = Deque<SharedEvent>()

    init(_ position: TopicPosition, now: ContinuousClock.Instant) {
        lastNeeded = now
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
    func skip(to offset: Offset) { head = max(head, offset) }

    /// Goes on in another incarnation of the log, behind `fork`.
    func restart(_ position: TopicPosition, fork: Offset) {
        ended.append((epoch, fork))
        epoch = position.epoch
        earliest = position.earliest
        head = fork
        for index in heads.indices { heads[index].before = min(heads[index].before, fork) }
    }

    /// Nothing was told of it, nor of a former life of the log.
    var isUnheard: Bool { head == 0 && ended.isEmpty }

    /// Up to here, offsets mean the same now as in an epoch that this feed has had; `nil` if that
    /// has not ended.
    func fork(since epoch: Epoch) -> Offset? {
        guard let index = ended.firstIndex(where: { $0.epoch == epoch }) else { return nil }
        return ended[index...].map(\.fork).min()
    }

    // MARK: Walks

    /// More than the head is about to be told, which is noted for the newest of the walks that are
    /// under way; they ascend.
    func noteHead(for walks: [Int]) {
        guard let newest = walks.last, heads.last.map({ $0.walk < newest }) ?? true else { return }
        heads.append((newest, head))
        guard heads.count > 2 * walks.count + Self.headsMin else { return }
        // Those that no walk asks for any more.
        let asked = Set(walks.compactMap { walk in heads.first { $0.walk >= walk }?.walk })
        heads.removeAll { !asked.contains($0.walk) }
    }

    private static let headsMin = 8

    /// Where it stood when a walk began, which is still under way.
    func head(atWalk number: Int) -> Offset { heads.first { $0.walk >= number }?.before ?? head }

    var hasNotedHeads: Bool { !heads.isEmpty }

    /// No walk is under way.
    func forgetHeads() { heads = [] }

    // MARK: Readers

    func add(_ reader: TopicReader) {
        reader.slot = readers.count
        readers.append(reader)
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
