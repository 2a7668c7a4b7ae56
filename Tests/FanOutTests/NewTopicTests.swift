internal import EventModel
internal import FanOut
internal import Testing

@Suite("A topic that comes into being, or goes") struct NewTopicTests {
    let loop = TestLoop()
    let orders: TopicName

    init() throws { orders = try TopicName("orders.eu") }

    private func client(_ patterns: [String] = ["orders.*"]) throws -> TestClient {
        let client = TestClient(on: loop)
        _ = try loop.subscribed(client, patterns: patterns, at: [])
        #expect(client.received() == ["live 1"])
        return client
    }

    @Test func `is followed and delivered from its first event, silently`() throws {
        let client = try client()
        loop.shard.created([orders])
        #expect(loop.takeFollows() == [[orders]])
        loop.follows(orders)
        loop.append(1...2, to: orders)
        #expect(client.received() == ["orders.eu 1", "orders.eu 2"])
    }

    @Test func `is replayed from its first event when it has some already, silently`() throws {
        let client = try client()
        loop.shard.created([orders])
        loop.follows(orders, latest: 3)
        loop.turn()
        #expect(loop.takeReads() == [.init(topic: orders, after: 0)])
        loop.answer(orders, after: 0, 1...3, latest: 3)
        #expect(client.received() == ["orders.eu 1", "orders.eu 2", "orders.eu 3"])
    }

    @Test func `lags like any other once it was live`() throws {
        let client = try client()
        loop.shard.created([orders])
        loop.follows(orders)
        client.block()
        loop.append(1...11, to: orders)
        client.unblock()
        #expect(
            client.received()
                == ["lagging 1 11"] + (1...11).map { "orders.eu \($0)" } + ["live 1"])
    }

    @Test func `is of no concern to patterns that do not match`() throws {
        let client = try client(["invoices.*", "orders"])
        loop.shard.created([orders])
        #expect(loop.takeFollows() == [])
        #expect(client.received() == [])
    }

    @Test func `is followed once for all who match, and joined at once if it is followed`() throws {
        let clients = [
            try client(["orders.>"]), try client(["orders.eu"]), try client(["*.eu", "*.*"]),
        ]
        loop.shard.created([orders])
        #expect(loop.takeFollows() == [[orders]])
        loop.follows(orders)
        let late = try client()
        loop.shard.created([orders])
        #expect(loop.takeFollows() == [])
        loop.append(1...1, to: orders)
        for client in clients + [late] { #expect(client.received() == ["orders.eu 1"]) }
    }

    @Test func `is awaited until it can be followed`() throws {
        let client = try client()
        loop.shard.created([orders])
        #expect(loop.shard.topicsAwaited == [orders])
        loop.follows(orders)
        #expect(loop.shard.topicsAwaited == [])
        loop.append(1...1, to: orders)
        #expect(client.received() == ["orders.eu 1"])
    }

    @Test func `is not awaited any more when it is deleted first`() throws {
        let client = try client()
        loop.shard.created([orders])
        loop.shard.deleted(orders)
        #expect(loop.shard.topicsAwaited == [])
        loop.turn()
        #expect(client.received() == [])
    }

    @Test func `is not awaited for a subscription that has ended`() throws {
        let client = TestClient(on: loop)
        let subscription = try loop.subscribed(client, patterns: ["orders.*"], at: [])
        loop.shard.created([orders])
        loop.shard.remove(subscription)
        #expect(loop.shard.topicsAwaited == [])
        loop.follows(orders)
        loop.append(1...1, to: orders)
        #expect(client.received() == ["live 1"])
    }

    @Test func `is not missed when it comes before the subscription has joined`() throws {
        let client = TestClient(on: loop)
        let subscription = try loop.registered(client, patterns: ["orders.*"])
        loop.shard.created([orders])
        #expect(loop.takeFollows() == [])
        loop.shard.join(subscription, [])
        #expect(loop.takeFollows() == [[orders]])
        loop.follows(orders)
        loop.append(1...1, to: orders)
        #expect(client.received() == ["live 1", "orders.eu 1"])
    }

    @Test func `is not awaited when it has gone before the subscription has joined`() throws {
        let client = TestClient(on: loop)
        let subscription = try loop.registered(client, patterns: ["orders.*"])
        loop.shard.created([orders])
        loop.shard.deleted(orders)
        loop.shard.join(subscription, [])
        #expect(loop.takeFollows() == [])
    }

    @Test func `keeps the start that the subscription had for it`() throws {
        let client = TestClient(on: loop)
        let subscription = try loop.registered(client, patterns: ["orders.*"])
        loop.shard.created([orders])
        let feed = loop.follows(orders, latest: 5)
        loop.shard.join(subscription, [ReaderStart(feed: feed, cursor: 5)])
        loop.append(6...6, to: orders)
        #expect(client.received() == ["live 1", "orders.eu 6"])
    }

    @Test func `is told when it is deleted, and what waits of it is dropped`() throws {
        let client = TestClient(on: loop)
        _ = try loop.subscribed(client, patterns: ["orders.*"], at: [(loop.follows(orders), 0)])
        client.block()
        loop.append(1...3, to: orders)
        client.unblock(bytes: 1)
        loop.shard.deleted(orders)
        loop.append(4...4, to: orders)
        client.unblock()
        #expect(client.received() == ["live 1", "orders.eu 1", "reset orders.eu - deleted"])
    }

    @Test func `leaves its subscription live when it was the last that replayed`() throws {
        let client = TestClient(on: loop)
        let feed = loop.follows(orders, latest: 5)
        _ = try loop.subscribed(client, patterns: ["orders.*"], at: [(feed, 0)])
        loop.shard.deleted(orders)
        loop.turn()
        #expect(client.received() == ["reset orders.eu - deleted", "live 1"])
        #expect(!client.subscriber.isReplaying)
    }

    @Test func `begins with a reset when it comes back under the name, each time`() throws {
        let client = TestClient(on: loop)
        _ = try loop.subscribed(
            client, patterns: ["orders.eu"], at: [(loop.follows(orders, latest: 7), 7)])
        for _ in 0..<2 {
            loop.shard.deleted(orders)
            loop.shard.created([orders])
            loop.follows(orders, epoch: .recreated)
            loop.append(1...1, to: orders, epoch: .recreated)
        }
        let life = [
            "reset orders.eu - deleted", "reset orders.eu aaaaaaaaaa2-0 recreated", "orders.eu 1",
        ]
        #expect(client.received() == ["live 1"] + life + life)
    }

    @Test func `is nothing to who names it when the log has deleted it, but the loop still has it`()
        throws
    {
        loop.follows(orders, latest: 7)
        let client = TestClient(on: loop)
        let subscription = try loop.registered(client, patterns: ["orders.eu"])
        loop.shard.join(subscription, [])
        loop.append(8...8, to: orders)
        loop.restart(orders, fork: 6)
        loop.shard.deleted(orders)
        loop.shard.created([orders])
        loop.follows(orders, epoch: .recreated)
        loop.append(1...1, to: orders, epoch: .recreated)
        #expect(client.received() == ["live 1", "orders.eu 1"])
    }

    @Test func `is told deleted to who comes with a cursor of one that is gone`() throws {
        let client = TestClient(on: loop)
        let subscription = try loop.registered(client, patterns: ["orders.eu"])
        loop.shard.join(subscription, [], gone: [orders])
        loop.shard.created([orders])
        loop.follows(orders, epoch: .recreated)
        loop.turn()
        #expect(
            client.received() == [
                "reset orders.eu - deleted", "live 1", "reset orders.eu aaaaaaaaaa2-0 recreated",
            ])
    }
}
