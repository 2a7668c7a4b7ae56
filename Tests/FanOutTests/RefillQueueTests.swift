internal import EventModel
internal import Testing

@testable internal import FanOut

@Suite("The readers that are behind") struct RefillQueueTests {
    private let loop = TestLoop()
    private let subscription: Subscription
    private let feed: TopicFeed

    init() throws {
        let client = TestClient(on: loop)
        feed = loop.follows(try TopicName("orders"), latest: 9)
        subscription = Subscription(
            id: 1, patterns: [TopicPattern(feed.topic)], subscriber: client.subscriber)
    }

    private func reader() -> TopicReader {
        let reader = TopicReader(feed: feed, subscription: subscription, cursor: 0)
        reader.standing = .replaying
        return reader
    }

    @Test func `have their turns in the order in which they came`() {
        var queue = RefillQueue()
        let (first, second) = (reader(), reader())
        queue.began(first)
        queue.began(second)
        #expect(queue.next() === first)
        #expect(queue.next() === first)
        queue.nextServed()
        #expect(queue.next() === second)
        queue.enqueue(first)
        queue.enqueue(first)
        queue.nextServed()
        #expect(queue.next() === first)
        queue.nextServed()
        #expect(queue.next() == nil)
        #expect(queue.readerCount == 2)
    }

    @Test func `have no turn while a page is read for them`() {
        var queue = RefillQueue()
        let readers = [reader(), reader(), reader()]
        for reader in readers { queue.began(reader) }
        for reader in readers[..<2] {
            queue.nextServed()
            let isBeginread0 = queue.beginRead(for: reader)
            #expect(isBeginread0)
        }
        queue.enqueue(readers[0])
        #expect(queue.next() === readers[2])
        queue.nextServed()
        let isBeginread1 = queue.beginRead(for: readers[2])
        #expect(!isBeginread1)
        #expect(queue.next() == nil)
        queue.readEnded(with: nil, for: readers[1])
        #expect(queue.next() === readers[2])
        queue.nextServed()
        let isReadAtLast = queue.beginRead(for: readers[2])
        #expect(isReadAtLast)
        #expect(queue.readerCount == 3)
    }

    @Test func `have none while they are parked, and keep nobody busy`() {
        var queue = RefillQueue()
        let (first, second) = (reader(), reader())
        for reader in [first, second] {
            queue.began(reader)
            queue.nextServed()
            queue.park(reader)
        }
        #expect(queue.isEmpty)
        #expect(queue.next() == nil)
        let isUnpark2 = queue.unpark(first)
        #expect(isUnpark2)
        let isUnpark3 = queue.unpark(first)
        #expect(!isUnpark3)
        #expect(queue.next() === first)
        end(second, in: &queue)
        let isUnpark4 = queue.unpark(second)
        #expect(!isUnpark4)
        #expect(queue.readerCount == 1)
    }

    private func end(_ reader: TopicReader, in queue: inout RefillQueue) {
        reader.standing = .none
        queue.ended(reader)
    }

    @Test func `have none when they have left, also while they are read for`() {
        var queue = RefillQueue()
        let (first, second, third) = (reader(), reader(), reader())
        for reader in [first, second, third] { queue.began(reader) }
        queue.nextServed()
        let isBeginread5 = queue.beginRead(for: first)
        #expect(isBeginread5)
        end(first, in: &queue)
        end(second, in: &queue)
        queue.readEnded(with: nil, for: first)
        #expect(queue.next() === third)
        #expect(queue.readerCount == 1)
        end(third, in: &queue)
        #expect(queue.next() == nil)
        #expect(queue.isEmpty)
    }

    @Test func `have one again when they fall back before it came`() {
        var queue = RefillQueue()
        let (first, second, third) = (reader(), reader(), reader())
        for reader in [first, second, third] { queue.began(reader) }
        end(first, in: &queue)
        first.standing = .replaying
        queue.began(first)
        for expected in [first, second, third] {
            #expect(queue.next() === expected)
            queue.nextServed()
        }
        #expect(queue.next() == nil)
    }

    @Test func `are let go when they leave, though nobody has a turn`() {
        var queue = RefillQueue()
        let stays = reader()
        queue.began(stays)
        var left: [() -> Bool] = []
        for _ in 0..<1000 {
            let reader = reader()
            left.append { [weak reader] in reader != nil }
            queue.began(reader)
            end(reader, in: &queue)
        }
        #expect(left.count { $0() } <= 1)
        #expect(queue.next() === stays)
    }
}
