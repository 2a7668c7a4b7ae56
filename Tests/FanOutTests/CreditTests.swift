internal import EventModel
@testable internal import FanOut
internal import Testing

@Suite("A subscription with credit") struct CreditTests {
    let loop = TestLoop(backlogBytesMax: 600, pageBytesMax: 600, recentEventsBytesMax: 0)
    let client: TestClient
    let orders: TopicName

    init() throws {
        orders = try TopicName("orders")
        client = TestClient(on: loop)
    }

    private func subscribed(
        _ credit: Int64?, _ policy: OverflowPolicy? = nil, at cursor: Offset = 0,
        latest: Offset = 0
    ) throws -> Subscription {
        try loop.subscribed(
            client, patterns: ["orders"], at: [(loop.follows(orders, latest: latest), cursor)],
            options: SubscriptionOptions(overflow: policy, credit: credit))
    }

    private func grant(_ events: Int64, to subscription: Subscription) {
        client.subscriber.grant(events, to: subscription)
        loop.turn()
    }

    @Test func `gets as many events as it was granted, and is told that it lags`() throws {
        let subscription = try subscribed(2)
        loop.append(1...5, to: orders)
        #expect(client.received() == ["live 1", "orders 1", "orders 2", "lagging 1 3"])
        grant(1, to: subscription)
        #expect(loop.takeReads() == [.init(topic: orders, after: 2)])
        loop.answer(orders, after: 2, 3...5, latest: 5)
        #expect(client.received() == ["orders 3"])
        #expect(loop.takeReads() == [])
        grant(9, to: subscription)
        loop.answer(orders, after: 3, 4...5, latest: 5)
        #expect(client.received() == ["orders 4", "orders 5", "live 1"])
        loop.append(6...6, to: orders)
        #expect(client.received() == ["orders 6"])
    }

    @Test func `reads nothing from the log while it has none`() throws {
        let subscription = try subscribed(0, latest: 5)
        #expect(client.received() == ["lagging 1 5"] || client.received() == [])
        #expect(loop.takeReads() == [])
        loop.append(6...9, to: orders)
        #expect(loop.takeReads() == [])
        #expect(!client.subscriber.isReplaying)
        grant(20, to: subscription)
        #expect(loop.takeReads() == [.init(topic: orders, after: 0)])
        loop.answer(orders, after: 0, 1...9, latest: 9, bytes: 50)
        #expect(client.received() == (1...9).map { "orders \($0)" } + ["live 1"])
    }

    @Test func `is told without credit what is no event`() throws {
        let subscription = try subscribed(0)
        #expect(client.received() == ["live 1"])
        loop.append(1...3, to: orders)
        loop.shard.deleted(orders)
        loop.turn()
        #expect(client.received() == ["lagging 1 3", "reset orders - deleted", "live 1"])
        grant(5, to: subscription)
        #expect(client.received() == [])
    }

    @Test func `leaves the other subscriptions of its session alone`() throws {
        _ = try subscribed(0)
        let ticks = try TopicName("ticks")
        _ = try loop.subscribed(
            client, id: 2, patterns: ["ticks"], at: [(loop.follows(ticks, latest: 2), 0)])
        loop.append(1...3, to: orders)
        loop.answer(ticks, after: 0, 1...2, latest: 2)
        #expect(client.received() == ["live 1", "lagging 1 3", "ticks 1", "ticks 2", "live 2"])
        loop.append(3...3, to: ticks)
        #expect(client.received() == ["ticks 3"])
    }

    @Test func `has what was dropped unsent still to its credit`() throws {
        let subscription = try subscribed(7)
        _ = client.received()
        client.block()
        loop.append(1...7, to: orders)
        #expect(subscription.credit.left == 7)
        client.unblock()
        loop.answer(orders, after: 0, 1...7, latest: 7, bytes: 50)
        #expect(
            client.received() == ["lagging 1 7"] + (1...7).map { "orders \($0)" } + ["live 1"])
    }

    @Test func `keeps the newest of each key for when it has credit again`() throws {
        let subscription = try subscribed(1, .conflate)
        loop.append(["a"], from: 1, to: orders)
        loop.append(["a", "b", "a", "b", "b"], from: 2, to: orders)
        #expect(client.received() == ["live 1", "orders 1"])
        grant(1, to: subscription)
        #expect(client.received() == ["gap orders 2-3 conflated", "orders 4"])
        grant(5, to: subscription)
        #expect(client.received() == ["gap orders 5-5 conflated", "orders 6"])
        loop.append(["a"], from: 7, to: orders)
        #expect(client.received() == ["orders 7"])
        #expect(loop.takeReads() == [])
    }

    @Test func `does without the oldest when too many wait for credit`() throws {
        let subscription = try subscribed(0, .dropOldest)
        loop.append(1...8, to: orders)
        #expect(client.received() == ["live 1"])
        grant(9, to: subscription)
        #expect(
            client.received() == ["gap orders 1-6 overflow", "orders 7", "orders 8"])
        #expect(loop.takeReads() == [])
    }

    @Test func `has nothing that waits for credit once it is gone`() throws {
        let subscription = try subscribed(0, .dropOldest)
        loop.append(1...5, to: orders)
        #expect(client.subscriber.waitingBytes > 400)
        loop.shard.remove(subscription)
        #expect(client.subscriber.waitingBytes == 0)
        #expect(loop.shard.budget.count == 0)
        grant(5, to: subscription)
        #expect(client.received() == ["live 1"])
    }
}
