internal import EventModel
internal import FanOut
internal import Testing

@Suite("A log that begins another incarnation") struct RestartTests {
    let loop = TestLoop()
    let orders: TopicName

    init() throws { orders = try TopicName("orders") }

    private func client(at cursor: Offset, latest: Offset = 5) throws -> TestClient {
        let client = TestClient(on: loop)
        let feed = loop.follows(orders, latest: latest)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, cursor)])
        return client
    }

    @Test func `resets nobody who stands at the fork or below it`() throws {
        let client = try client(at: 5)
        loop.restart(orders, fork: 5)
        loop.append(6...6, to: orders, epoch: .two)
        #expect(client.received() == ["live 1", "orders 6"])
    }

    @Test func `resets who stands above the fork, and goes on behind it`() throws {
        let client = try client(at: 5)
        loop.restart(orders, fork: 3)
        loop.append(4...5, to: orders, epoch: .two)
        #expect(
            client.received() == [
                "live 1", "reset orders bbbbbbbbbb1-3 restored", "orders 4", "orders 5",
            ])
    }

    @Test func `drops what waits of the old one and reads it anew`() throws {
        let client = try client(at: 5)
        client.block()
        loop.append(6...8, to: orders)
        loop.restart(orders, fork: 7)
        client.unblock()
        #expect(loop.takeReads() == [.init(topic: orders, after: 5)])
        loop.answer(orders, after: 5, 6...7, latest: 7, epoch: .two)
        #expect(
            client.received() == ["live 1", "lagging 1 2", "orders 6", "orders 7", "live 1"])
    }

    @Test func `resets who has begun to get what was lost`() throws {
        let client = try client(at: 5)
        client.block()
        loop.append(6...7, to: orders)
        client.unblock(bytes: 10)
        loop.restart(orders, fork: 5)
        loop.append(6...6, to: orders, epoch: .two)
        client.unblock()
        #expect(
            client.received() == [
                "live 1", "orders 6", "reset orders bbbbbbbbbb1-5 restored", "orders 6",
            ])
    }

    @Test func `may go on above what the loop had fanned out`() throws {
        let client = try client(at: 5)
        loop.restart(orders, fork: 7)
        loop.append(8...8, to: orders, epoch: .two)
        _ = loop.takeReads()
        loop.answer(orders, after: 5, 6...8, latest: 8, epoch: .two)
        #expect(
            client.received()
                == ["live 1", "lagging 1 2", "orders 6", "orders 7", "orders 8", "live 1"])
    }

    @Test func `makes who replayed what was lost live at the fork`() throws {
        let client = try client(at: 5, latest: 9)
        loop.restart(orders, fork: 4)
        loop.answer(orders, after: 5, 6...9, latest: 9)
        loop.append(5...5, to: orders, epoch: .two)
        #expect(client.received() == ["reset orders bbbbbbbbbb1-4 restored", "live 1", "orders 5"])
    }

    @Test func `makes no gap of a page that was asked for above the fork`() throws {
        let client = try client(at: 8, latest: 9)
        #expect(loop.takeReads() == [.init(topic: orders, after: 8)])
        loop.restart(orders, fork: 5)
        loop.append(6...10, to: orders, epoch: .two)
        loop.answer(orders, after: 8, 9...10, latest: 10, epoch: .two)
        #expect(
            client.received()
                == ["reset orders bbbbbbbbbb1-5 restored", "live 1"]
                + (6...10).map { "orders \($0)" })
    }

    @Test func `goes on where retention had overtaken the loop before the old one ended`() throws {
        let client = try client(at: 5)
        loop.shard.purged(orders, earliest: 9)
        loop.append(9...10, to: orders)
        loop.restart(orders, fork: 10)
        loop.append(11...11, to: orders, epoch: .two)
        #expect(loop.takeReads() == [.init(topic: orders, after: 5)])
        loop.answer(orders, after: 5, nil, latest: 10, earliest: 9)
        _ = loop.shard.tick(now: loop.start + .seconds(1))
        loop.turn()
        #expect(loop.takeReads() == [.init(topic: orders, after: 5)])
        loop.answer(orders, after: 5, 9...11, latest: 11, earliest: 9, epoch: .two)
        #expect(
            client.received() == ["live 1", "lagging 1 3", "gap orders 6-8 retention bbbbbbbbbb1"]
                + (9...11).map { "orders \($0)" } + ["live 1"])
    }

    @Test func `resets a start above the fork that was fixed before`() throws {
        let client = TestClient(on: loop)
        let subscription = try loop.registered(client, patterns: ["orders"])
        let start = ReaderStart(feed: loop.follows(orders, latest: 9), cursor: 9)
        loop.restart(orders, fork: 6)
        loop.restart(orders, fork: 8, epoch: .three)
        loop.shard.join(subscription, [start])
        loop.turn()
        #expect(client.received() == ["reset orders cccccccccc1-6 restored"])
        #expect(loop.takeReads() == [.init(topic: orders, after: 6)])
    }
}
