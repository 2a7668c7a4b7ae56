internal import EventModel
internal import Testing

@testable internal import FanOut

@Suite("The readers that replay") struct ReplayQueueTests {
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
        TopicReader(feed: feed, subscription: subscription, cursor: 0, reset: nil, isNew: false)
    }

    @Test func `have their turns in the order in which they came`() {
        var queue = ReplayQueue()
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
        #expect(queue.replayingCount == 2)
    }

    @Test func `have no turn while a page is read for them`() {
        var queue = ReplayQueue()
        let readers = [reader(), reader(), reader()]
        for reader in readers { queue.began(reader) }
        for reader in readers[..<2] {
            #expect(queue.mayRead)
            queue.nextServed()
            queue.readBegan(for: reader)
        }
        #expect(!queue.mayRead)
        queue.enqueue(readers[0])
        #expect(queue.next() === readers[2])
        queue.readEnded(for: readers[1])
        #expect(queue.mayRead)
        queue.nextServed()
        #expect(queue.next() === readers[1])
    }

    @Test func `have none when they have left, also while they are read for`() {
        var queue = ReplayQueue()
        let (first, second, third) = (reader(), reader(), reader())
        for reader in [first, second, third] { queue.began(reader) }
        queue.nextServed()
        queue.readBegan(for: first)
        queue.ended(first)
        queue.ended(second)
        queue.readEnded(for: first)
        #expect(queue.next() === third)
        #expect(queue.replayingCount == 1)
        queue.ended(third)
        #expect(queue.next() == nil)
        #expect(queue.isEmpty)
    }

    @Test func `have one again when they fall back before it came`() {
        var queue = ReplayQueue()
        let (first, second, third) = (reader(), reader(), reader())
        for reader in [first, second, third] { queue.began(reader) }
        queue.ended(first)
        queue.began(first)
        for expected in [first, second, third] {
            #expect(queue.next() === expected)
            queue.nextServed()
        }
        #expect(queue.next() == nil)
    }

    @Test func `are let go when they leave, though nobody has a turn`() {
        var queue = ReplayQueue()
        let stays = reader()
        queue.began(stays)
        var left: [() -> Bool] = []
        for _ in 0..<1000 {
            let reader = reader()
            left.append { [weak reader] in reader != nil }
            queue.began(reader)
            queue.ended(reader)
        }
        #expect(left.count { $0() } <= 1)
        #expect(queue.next() === stays)
    }
}
