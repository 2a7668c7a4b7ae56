internal import EventModel
@testable internal import FanOut
internal import Testing

@Suite("A page of the log that was read for a reader") struct ReadAheadTests {
    private let loop = TestLoop(recentEventsBytesMax: 0)
    private let orders: TopicName

    init() throws { orders = try TopicName("orders") }

    private func client(at cursor: Offset) throws -> TestClient {
        let client = TestClient(on: loop)
        let feed = loop.shard.feed(of: orders) ?? loop.follows(orders, latest: 9)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, cursor)])
        return client
    }

    @Test func `waits until the socket takes bytes, and is taken as far as a refill goes`() throws {
        let client = try client(at: 0)
        client.block()
        loop.answer(orders, after: 0, 1...9, latest: 9)
        #expect(client.subscriber.backlog.isEmpty && client.subscriber.isReplaying)
        client.unblock(bytes: 1)
        #expect((250..<450).contains(client.subscriber.backlog.byteCount))
        client.unblock()
        #expect(client.received() == (1...9).map { "orders \($0)" } + ["live 1"])
        #expect(!client.subscriber.isReplaying)
    }

    @Test func `has the next one asked for once half of it is taken`() throws {
        let client = try client(at: 0)
        client.block()
        _ = loop.takeReads()
        loop.answer(orders, after: 0, 1...4, latest: 9)
        #expect(loop.takeReads() == [])
        client.unblock(bytes: 1)
        #expect(loop.takeReads() == [.init(topic: orders, after: 4)])
        loop.answer(orders, after: 4, 5...9, latest: 9)
        client.unblock()
        #expect(loop.takeReads() == [])
        #expect(client.received() == (1...9).map { "orders \($0)" } + ["live 1"])
    }

    @Test func `has not when its socket takes bytes too slowly for that`() throws {
        let client = try client(at: 0)
        client.block()
        _ = loop.takeReads()
        loop.answer(orders, after: 0, 1...4, latest: 9)
        loop.tick()
        client.unblock(bytes: 1)
        #expect(loop.takeReads() == [])
    }

    /// Answers a read with four events a page; the reader takes all that comes and waits for more.
    private func answer(
        _ read: TestLoop.Read, latest: Offset, on loop: TestLoop
    ) -> [TestLoop.Read] {
        let last = min(read.after + Offset(4 * read.pages), latest)
        loop.answer(read.topic, after: read.after, read.after + 1...last, latest: latest)
        loop.turn()
        return loop.takeReads()
    }

    @Test func `is twice as long, up to eight pages, when the one before was waited for`() throws {
        let client = TestClient(on: loop)
        let feed = loop.follows(orders, latest: 200)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 0)])
        var pages: [Int] = []
        var reads = loop.takeReads()
        while let read = reads.first {
            #expect(reads.count == 1)
            pages.append(read.pages)
            reads = answer(read, latest: 200, on: loop)
        }
        #expect(pages == [1, 1, 2, 4, 8, 8, 8, 8, 8, 8])
        #expect(client.received() == (1...200).map { "orders \($0)" } + ["live 1"])
    }

    @Test func `is no longer while others need the budget`() throws {
        let loop = TestLoop(recentEventsBytesMax: 0, backlogsBytesMax: 6000)
        let other = TestClient(on: loop)
        let invoices = try TopicName("invoices")
        _ = try loop.subscribed(
            other, patterns: ["invoices"], at: [(loop.follows(invoices, latest: 9), 0)])
        other.block()
        loop.answer(invoices, after: 0, 1...9, latest: 9, bytes: 250)
        let client = TestClient(on: loop)
        let feed = loop.follows(orders, latest: 40)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 0)])
        _ = loop.takeReads().filter { $0.topic == invoices }
        var reads = [TestLoop.Read(topic: orders, after: 0)]
        var pages: [Int] = []
        while let read = reads.first {
            pages.append(read.pages)
            reads = answer(read, latest: 40, on: loop)
        }
        #expect(pages == Array(repeating: 1, count: 10))
    }

    @Test func `is let go by who has no credit, so that others get theirs`() throws {
        let client = TestClient(on: loop)
        let topics = try (1...3).map { try TopicName("topic-\($0)") }
        for (id, topic) in zip(Int64(1)..., topics) {
            _ = try loop.subscribed(
                client, id: id, patterns: ["\(topic)"], at: [(loop.follows(topic, latest: 9), 0)],
                options: SubscriptionOptions(credit: id < 3 ? 1 : nil))
        }
        #expect(loop.takeReads() == topics[..<2].map { .init(topic: $0, after: 0) })
        for topic in topics[..<2] { loop.answer(topic, after: 0, 1...9, latest: 9) }
        #expect(loop.takeReads() == [.init(topic: topics[2], after: 0)])
        #expect(client.received() == ["topic-1 1", "topic-2 1"])
    }

    @Test func `is let go when the loop's budget is used up, and counts once into it`() throws {
        let loop = TestLoop(recentEventsBytesMax: 0, backlogsBytesMax: 6000)
        let clients = [TestClient(on: loop), TestClient(on: loop), TestClient(on: loop)]
        for client in clients {
            let feed = loop.shard.feed(of: orders) ?? loop.follows(orders, latest: 9)
            _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 0)])
            client.block()
        }
        _ = loop.takeReads()
        loop.answer(orders, after: 0, 1...9, latest: 9, bytes: 250)
        let pageBytes = loop.shard.budget.count
        #expect((3000..<6000).contains(pageBytes))
        loop.tick()
        let late = TestClient(on: loop)
        let invoices = try TopicName("invoices")
        _ = try loop.subscribed(
            late, patterns: ["invoices"], at: [(loop.follows(invoices, latest: 9), 0)])
        late.block()
        loop.answer(invoices, after: 0, 1...9, latest: 9, bytes: 250)
        loop.tick()
        #expect(loop.shard.budget.count < 6000)
        _ = loop.takeReads()
        for client in clients { client.unblock() }
        #expect(loop.takeReads() == [.init(topic: orders, after: 0)])
    }

    @Test func `is shared with those who ask a little later`() throws {
        let first = try client(at: 0)
        loop.answer(orders, after: 0, 1...9, latest: 9)
        _ = loop.takeReads()
        let second = try client(at: 0)
        #expect(loop.takeReads() == [])
        loop.turn()
        #expect(second.received() == first.received())
        loop.tick()
        let third = try client(at: 0)
        #expect(loop.takeReads() == [.init(topic: orders, after: 0)])
        #expect(third.received() == [])
    }

    @Test func `is not delivered once a purge has overtaken it`() throws {
        let client = try client(at: 0)
        client.block()
        loop.answer(orders, after: 0, 1...4, latest: 9)
        _ = loop.takeReads()
        loop.shard.purged(orders, earliest: 3)
        client.unblock()
        loop.turn()
        #expect(loop.takeReads() == [.init(topic: orders, after: 0)])
        loop.answer(orders, after: 0, 3...9, latest: 9, earliest: 3, purgedBelow: 3)
        #expect(
            client.received()
                == ["gap orders 1-2 purged"] + (3...9).map { "orders \($0)" } + ["live 1"])
    }

    @Test func `is forgotten when the topic goes on in another incarnation`() throws {
        let client = try client(at: 0)
        client.block()
        loop.answer(orders, after: 0, 1...9, latest: 9)
        _ = loop.takeReads()
        loop.restart(orders, fork: 5)
        client.unblock()
        loop.turn()
        #expect(loop.takeReads() == [.init(topic: orders, after: 0)])
        loop.answer(orders, after: 0, 1...5, latest: 5, epoch: .two)
        #expect(client.received() == (1...5).map { "orders \($0)" } + ["live 1"])
    }
}
