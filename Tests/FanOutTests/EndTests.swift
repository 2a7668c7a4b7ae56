internal import EventModel
@testable internal import FanOut
internal import Testing

@Suite("What ends") struct EndTests {
    let loop = TestLoop()
    let orders: TopicName
    let invoices: TopicName

    init() throws {
        orders = try TopicName("orders")
        invoices = try TopicName("invoices")
    }

    @Test func `A subscription that ends drops what waits and gets nothing more`() throws {
        let client = TestClient(on: loop)
        let subscription = try loop.subscribed(
            client, id: 1, patterns: ["orders"], at: [(loop.follows(orders), 0)])
        _ = try loop.subscribed(
            client, id: 2, patterns: ["invoices"], at: [(loop.follows(invoices), 0)])
        client.block()
        loop.append(1...2, to: orders)
        loop.append(1...1, to: invoices)
        client.unblock(bytes: 50)
        loop.shard.remove(subscription)
        client.subscriber.sendControl(TestFrame.control("unsubscribed 1"))
        loop.append(3...3, to: orders)
        loop.append(2...2, to: invoices)
        client.unblock()
        #expect(
            client.received() == [
                "live 1", "live 2", "orders 1", "invoices 1", "unsubscribed 1", "invoices 2",
            ])
    }

    @Test func `A subscription that ends while it is read for gets nothing of the page`() throws {
        let client = TestClient(on: loop)
        let feed = loop.follows(orders, latest: 5)
        let subscription = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 0)])
        loop.shard.remove(subscription)
        #expect(!client.subscriber.isReplaying)
        loop.answer(orders, after: 0, 1...5, latest: 5)
        #expect(client.received() == [])
        _ = try loop.subscribed(client, id: 2, patterns: ["orders"], at: [(feed, 4)])
        loop.answer(orders, after: 4, 5...5, latest: 5)
        #expect(client.received() == ["orders 5", "live 2"])
    }

    @Test func `A subscription that has ended does not join any more`() throws {
        let client = TestClient(on: loop)
        let subscription = try loop.registered(client, patterns: ["orders"])
        let feed = loop.follows(orders)
        loop.shard.remove(subscription)
        loop.shard.join(subscription, [ReaderStart(feed: feed, cursor: 0)])
        loop.append(1...1, to: orders)
        #expect(client.received() == [])
    }

    @Test func `A topic that nobody follows is dropped after a minute`() throws {
        let client = TestClient(on: loop)
        let feed = loop.follows(orders)
        let subscription = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 0)])
        #expect(loop.shard.tick(now: loop.start + .seconds(100)) == [])
        loop.shard.remove(subscription)
        #expect(loop.shard.tick(now: loop.start + .seconds(160)) == [])
        #expect(loop.shard.tick(now: loop.start + .seconds(161)) == [orders])
        #expect(loop.shard.feed(of: orders) == nil)
        loop.append(1...1, to: orders)
    }

    @Test func `A topic that was never joined is dropped after a minute, too`() {
        loop.follows(orders)
        #expect(loop.shard.tick(now: loop.start + .seconds(60)) == [])
        #expect(loop.shard.tick(now: loop.start + .seconds(61)) == [orders])
    }

    @Test func `A topic is kept for who comes back within the minute`() throws {
        let client = TestClient(on: loop)
        let feed = loop.follows(orders)
        let first = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 0)])
        loop.shard.remove(first)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 0)])
        #expect(loop.shard.tick(now: loop.start + .seconds(100)) == [])
    }

    @Test func `A topic that was asked for is kept for another minute`() {
        loop.follows(orders)
        _ = loop.shard.tick(now: loop.start + .seconds(50))
        let feed = loop.shard.feed(of: orders)
        #expect(loop.shard.tick(now: loop.start + .seconds(100)) == [])
        #expect(loop.shard.feed(of: orders) === feed)
    }

    @Test func `A session that is over leaves nothing in memory`() throws {
        weak var subscriber: Subscriber?
        weak var subscription: Subscription?
        weak var output: TestClient?
        weak var event: SharedEvent?
        let loop = TestLoop(recentEventsBytesMax: 0)
        let feed = loop.follows(orders, latest: 5)
        do {
            let client = TestClient(on: loop)
            output = client
            subscriber = client.subscriber
            // One topic live, with an event that has begun; one that is being read for; one that is
            // awaited.
            subscription = try loop.subscribed(
                client, patterns: ["*"], at: [(feed, 0), (loop.follows(invoices), 0)])
            client.block()
            let shared = [1, 2].map {
                SharedEvent(TestFrame.event($0), of: invoices, epoch: .one)
            }
            event = shared[0]
            loop.shard.appended(shared, to: invoices)
            loop.turn()
            client.unblock(bytes: 10)
            loop.shard.created([try TopicName("new")])
            loop.shard.remove(client.subscriber)
        }
        #expect(output == nil)
        #expect(event == nil)
        loop.answer(orders, after: 0, 1...5, latest: 5)
        #expect(subscription == nil)
        #expect(subscriber == nil)
    }

    @Test func `A session's thousand subscriptions end in one pass over what waits`() throws {
        let loop = TestLoop(backlogBytesMax: 1 << 20)
        let names = try (0..<1000).map { try TopicName("topic-\($0)") }
        func time(_ end: (TestClient, [Subscription]) -> Void) throws -> Duration {
            let client = TestClient(on: loop)
            let subscriptions = try names.enumerated().map { id, name in
                let feed = loop.shard.feed(of: name) ?? loop.follows(name)
                return try loop.subscribed(
                    client, id: Int64(id), patterns: [name.text], at: [(feed, feed.head)])
            }
            client.block()
            for name in names {
                let head = loop.shard.feed(of: name)?.head ?? 0
                loop.append(head + 1...head + 20, to: name, bytes: 50)
            }
            #expect(client.subscriber.backlog.byteCount == 1_000_000)
            let time = ContinuousClock().measure { end(client, subscriptions) }
            #expect(client.subscriber.backlog.byteCount == 0)
            #expect(client.subscriber.subscriptions.isEmpty)
            return time
        }
        let oneByOne = try time { for subscription in $1 { loop.shard.remove(subscription) } }
        let atOnce = try time { client, _ in loop.shard.removeSubscriptions(of: client.subscriber) }
        #expect(atOnce * 10 < oneByOne)
    }

    @Test func `A session that is over is not flushed`() throws {
        let client = TestClient(on: loop)
        let feed = loop.follows(orders, latest: 5)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 0)])
        let flushes = client.flushes
        loop.shard.remove(client.subscriber)
        loop.answer(orders, after: 0, 1...5, latest: 5)
        loop.append(6...6, to: orders)
        #expect(client.flushes == flushes)
        #expect(client.subscriber.subscriptions.isEmpty)
    }
}
