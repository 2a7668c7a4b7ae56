internal import EventModel
internal import FanOut
internal import Testing

@Suite("A subscription that replays from the log") struct ReplayTests {
    let loop = TestLoop(recentEventsBytesMax: 0)
    let orders: TopicName

    init() throws { orders = try TopicName("orders") }

    private func client(at cursor: Offset, latest: Offset = 9) throws -> TestClient {
        let client = TestClient(on: loop)
        let feed = loop.follows(orders, latest: latest)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, cursor)])
        return client
    }

    @Test func `reads page after page, and is told live at the head`() throws {
        let client = try client(at: 4)
        #expect(loop.takeReads() == [.init(topic: orders, after: 4)])
        loop.answer(orders, after: 4, 5...7, latest: 9)
        #expect(loop.takeReads() == [.init(topic: orders, after: 7)])
        loop.answer(orders, after: 7, 8...9, latest: 9)
        #expect(loop.takeReads() == [])
        #expect(client.received() == (5...9).map { "orders \($0)" } + ["live 1"])
    }

    @Test func `is not told lagging again while it catches up`() throws {
        let client = try client(at: 8)
        loop.append(10...11, to: orders)
        loop.answer(orders, after: 8, 9...9, latest: 9)
        loop.answer(orders, after: 9, 10...11, latest: 11)
        #expect(client.received() == ["orders 9", "orders 10", "orders 11", "live 1"])
    }

    @Test func `does not read ahead of a socket that is blocked`() throws {
        let client = try client(at: 0, latest: 90)
        client.block()
        _ = loop.takeReads()
        loop.answer(orders, after: 0, 1...3, latest: 90)
        #expect(loop.takeReads() == [])
        client.unblock()
        #expect(loop.takeReads() == [.init(topic: orders, after: 3)])
    }

    @Test func `is told what retention took before the next event`() throws {
        let client = try client(at: 2)
        loop.answer(orders, after: 2, 6...9, latest: 9, earliest: 6)
        #expect(
            client.received()
                == ["gap orders 3-5 retention"] + (6...9).map { "orders \($0)" } + ["live 1"])
    }

    @Test func `is told what was purged before the next event`() throws {
        let client = try client(at: 2)
        loop.answer(orders, after: 2, 6...9, latest: 9, earliest: 6, purgedBelow: 6)
        #expect(client.received().first == "gap orders 3-5 purged")
    }

    @Test func `is told two gaps when there are two reasons`() throws {
        let client = try client(at: 2)
        loop.answer(orders, after: 2, 8...9, latest: 9, earliest: 8, purgedBelow: 5)
        #expect(
            client.received() == [
                "gap orders 3-4 purged", "gap orders 5-7 retention", "orders 8", "orders 9",
                "live 1",
            ])
    }

    @Test func `is told a gap up to the head when nothing is kept`() throws {
        let client = try client(at: 2)
        loop.answer(orders, after: 2, nil, latest: 9, earliest: 10)
        #expect(client.received() == ["gap orders 3-9 retention", "live 1"])
        loop.append(10...10, to: orders)
        #expect(client.received() == ["orders 10"])
    }

    @Test func `is told a gap again when it was dropped before it was sent`() throws {
        let loop = TestLoop(backlogBytesMax: 300, recentEventsBytesMax: 0)
        let client = TestClient(on: loop)
        let feed = loop.follows(orders, latest: 9)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 2)])
        client.block()
        loop.answer(orders, after: 2, 9...9, latest: 9, earliest: 9)
        client.subscriber.refill()
        loop.append(10...12, to: orders)
        loop.tick()
        client.unblock()
        #expect(client.received() == ["live 1", "lagging 1 10"])
        _ = loop.takeReads()
        loop.answer(orders, after: 2, 9...12, latest: 12, earliest: 9, bytes: 50)
        #expect(
            client.received() == [
                "gap orders 3-8 retention", "orders 9", "orders 10", "orders 11", "orders 12",
                "live 1",
            ])
    }

    @Test func `may be ahead of the loop, whose events are then trimmed`() throws {
        let loop = TestLoop(
            backlogBytesMax: 10_000, pageBytesMax: 10_000, recentEventsBytesMax: 0)
        let client = TestClient(on: loop)
        let feed = loop.follows(orders, latest: 9)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 7)])
        loop.answer(orders, after: 7, 8...12, latest: 12)
        loop.append(10...11, to: orders)
        loop.append(12...13, to: orders)
        #expect(
            client.received()
                == (8...12).map { "orders \($0)" } + ["live 1", "orders 13"])
    }

    @Test func `is read for again at the tick after a read that failed`() throws {
        let client = try client(at: 8)
        _ = loop.takeReads()
        loop.shard.pageArrived(nil, of: orders, after: 8)
        loop.turn()
        #expect(loop.takeReads() == [])
        _ = loop.shard.tick(now: loop.start + .seconds(1))
        loop.turn()
        #expect(loop.takeReads() == [.init(topic: orders, after: 8)])
        loop.answer(orders, after: 8, 9...9, latest: 9)
        #expect(client.received() == ["orders 9", "live 1"])
    }

    @Test func `ignores a page of another incarnation`() throws {
        let client = try client(at: 8)
        _ = loop.takeReads()
        loop.answer(orders, after: 8, 9...9, latest: 9, epoch: .two)
        #expect(client.received() == [])
        loop.restart(orders, fork: 8, latest: 9)
        _ = loop.shard.tick(now: loop.start + .seconds(1))
        loop.turn()
        #expect(client.received() == ["live 1"])
    }

    @Test func `ignores a page that comes after its topic was created anew`() throws {
        let client = try client(at: 8)
        loop.shard.deleted(orders)
        loop.shard.created([orders])
        loop.follows(orders, epoch: .recreated)
        loop.answer(orders, after: 8, 9...9, latest: 9)
        loop.append(1...1, to: orders, epoch: .recreated)
        #expect(
            client.received() == [
                "reset orders - deleted", "live 1",
                "reset orders aaaaaaaaaa2-0 recreated", "orders 1",
            ])
    }

    @Test func `shares a page with all who ask for it meanwhile`() throws {
        let first = try client(at: 4)
        let second = try client(at: 4)
        #expect(loop.takeReads() == [.init(topic: orders, after: 4)])
        loop.answer(orders, after: 4, 5...9, latest: 9)
        let expected = (5...9).map { "orders \($0)" } + ["live 1"]
        #expect(first.received() == expected)
        #expect(second.received() == expected)
        #expect(loop.takeReads() == [])
    }

    @Test func `takes of a page what its backlog has room for`() throws {
        let loop = TestLoop(backlogBytesMax: 300, pageBytesMax: 300, recentEventsBytesMax: 0)
        let client = TestClient(on: loop)
        let feed = loop.follows(orders, latest: 5)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 0)])
        client.block()
        _ = loop.takeReads()
        loop.answer(orders, after: 0, 1...5, latest: 5)
        client.subscriber.refill()
        #expect(client.subscriber.backlog.byteCount == 300)
        client.unblock()
        #expect(loop.takeReads() == [])
        #expect(client.received() == (1...5).map { "orders \($0)" } + ["live 1"])
    }

    @Test func `has two pages under way at most, beside what is read ahead`() throws {
        let client = TestClient(on: loop)
        let topics = try (1...5).map { try TopicName("topic-\($0)") }
        _ = try loop.subscribed(
            client, patterns: ["*"], at: topics.map { (loop.follows($0, latest: 9), 0) })
        #expect(loop.takeReads() == topics[..<2].map { .init(topic: $0, after: 0) })
        loop.answer(topics[0], after: 0, 1...2, latest: 9)
        #expect(
            loop.takeReads() == [
                .init(topic: topics[0], after: 2), .init(topic: topics[2], after: 0),
            ])
    }

    @Test func `goes on where retention overtook the fan-out, behind a gap`() throws {
        let topic = try TopicName("orders")
        let client = TestClient(on: loop)
        let feed = loop.follows(topic, latest: 5)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 5)])
        loop.shard.purged(topic, earliest: 9)
        loop.append(9...9, to: topic)
        #expect(loop.takeReads() == [.init(topic: topic, after: 5)])
        loop.answer(topic, after: 5, 9...9, latest: 9, earliest: 9)
        #expect(
            client.received() == [
                "live 1", "lagging 1 3", "gap orders 6-8 retention", "orders 9", "live 1",
            ])
    }
}
