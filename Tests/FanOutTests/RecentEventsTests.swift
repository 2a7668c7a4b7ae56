internal import EventModel
internal import FanOut
internal import Testing

@Suite("The newest events in memory") struct RecentEventsTests {
    let orders: TopicName
    let invoices: TopicName

    init() throws {
        orders = try TopicName("orders")
        invoices = try TopicName("invoices")
    }

    private func replay(
        on loop: TestLoop, _ topic: TopicName, after cursor: Offset
    ) throws -> TestClient {
        let client = TestClient(on: loop)
        let feed = try #require(loop.shard.feed(of: topic))
        _ = try loop.subscribed(client, patterns: [topic.text], at: [(feed, cursor)])
        return client
    }

    @Test func `are replayed without a read`() throws {
        let loop = TestLoop()
        loop.follows(orders, latest: 4)
        loop.append(5...30, to: orders)
        let client = try replay(on: loop, orders, after: 4)
        #expect(client.received() == (5...30).map { "orders \($0)" } + ["live 1"])
        #expect(loop.readsAsked == [])
    }

    @Test func `are not all when the cursor is one below them`() throws {
        let loop = TestLoop()
        loop.follows(orders, latest: 4)
        loop.append(5...9, to: orders)
        let client = try replay(on: loop, orders, after: 3)
        #expect(loop.takeReads() == [.init(topic: orders, after: 3)])
        loop.answer(orders, after: 3, 4...4, latest: 9)
        #expect(loop.takeReads() == [])
        #expect(client.received() == (4...9).map { "orders \($0)" } + ["live 1"])
    }

    @Test func `are bounded over all topics, and the oldest go first`() throws {
        let loop = TestLoop(recentEventsBytesMax: 1000)
        loop.follows(orders)
        loop.follows(invoices)
        loop.append(1...6, to: orders)
        loop.append(1...6, to: invoices)
        _ = try replay(on: loop, invoices, after: 0)
        #expect(loop.takeReads() == [])
        _ = try replay(on: loop, orders, after: 2)
        #expect(loop.takeReads() == [])
        _ = try replay(on: loop, orders, after: 1)
        #expect(loop.takeReads() == [.init(topic: orders, after: 1)])
    }

    @Test func `are not kept when one is larger than the bound`() throws {
        let loop = TestLoop(recentEventsBytesMax: 1000)
        loop.follows(orders)
        loop.append(1...1, to: orders, bytes: 2000)
        loop.append(2...2, to: orders)
        _ = try replay(on: loop, orders, after: 1)
        #expect(loop.takeReads() == [])
        _ = try replay(on: loop, orders, after: 0)
        #expect(loop.takeReads() == [.init(topic: orders, after: 0)])
    }

    @Test func `are forgotten when they are purged`() throws {
        let loop = TestLoop()
        loop.follows(orders)
        loop.append(1...6, to: orders)
        loop.shard.purged(orders, earliest: 4)
        #expect(loop.shard.feed(of: orders)?.position.earliest == 4)
        let client = try replay(on: loop, orders, after: 1)
        #expect(loop.takeReads() == [.init(topic: orders, after: 1)])
        loop.answer(orders, after: 1, 4...6, latest: 6, earliest: 4, purgedBelow: 4)
        #expect(
            client.received() == [
                "gap orders 2-3 purged", "orders 4", "orders 5", "orders 6", "live 1",
            ])
    }

    @Test func `leave room for others when they are purged`() throws {
        let loop = TestLoop(recentEventsBytesMax: 1000)
        loop.follows(orders)
        loop.follows(invoices)
        loop.append(1...9, to: invoices)
        loop.shard.purged(invoices, earliest: 10)
        loop.append(1...9, to: orders)
        _ = try replay(on: loop, orders, after: 0)
        #expect(loop.takeReads() == [])
    }

    @Test func `of another incarnation are forgotten`() throws {
        let loop = TestLoop()
        loop.follows(orders)
        loop.append(1...6, to: orders)
        loop.restart(orders, fork: 4)
        loop.append(5...5, to: orders, epoch: .two)
        _ = try replay(on: loop, orders, after: 4)
        #expect(loop.takeReads() == [])
        _ = try replay(on: loop, orders, after: 3)
        #expect(loop.takeReads() == [.init(topic: orders, after: 3)])
    }
}
