internal import EventModel
@testable internal import FanOut
internal import Filtering
internal import Testing

@Suite("A subscription with a filter") struct FilterTests {
    let loop = TestLoop(backlogBytesMax: 600, pageBytesMax: 600, recentEventsBytesMax: 0)
    let client: TestClient
    let orders: TopicName

    init() throws {
        orders = try TopicName("orders")
        client = TestClient(on: loop)
    }

    private func subscribed(
        _ filter: String = "$key == \"a\"", at cursor: Offset = 0, latest: Offset = 0,
        overflow: OverflowPolicy? = nil
    ) throws -> Subscription {
        let subscription = try loop.registered(
            client, patterns: ["orders"], options: SubscriptionOptions(overflow: overflow),
            filter: EventFilter(filter, bytesMax: 100))
        let feed = loop.follows(orders, latest: latest)
        loop.shard.join(subscription, [ReaderStart(feed: feed, cursor: cursor)])
        loop.turn()
        return subscription
    }

    private func tick(_ seconds: Int) {
        _ = loop.shard.tick(now: loop.start + .seconds(seconds))
        loop.turn()
    }

    @Test func `gets what fulfils it`() throws {
        _ = try subscribed()
        loop.append(["a", "b", "a", nil], from: 1, to: orders)
        #expect(client.received() == ["live 1", "orders 1", "orders 3"])
    }

    @Test func `is told every five seconds where it stands behind the others`() throws {
        _ = try subscribed()
        loop.append(["a", "b", "b"], from: 1, to: orders)
        _ = client.received()
        tick(1)
        #expect(client.received() == [])
        tick(4)
        #expect(client.received() == ["cursors orders 3"])
        tick(10)
        #expect(client.received() == [])
        loop.append(["b", "a"], from: 4, to: orders)
        tick(20)
        #expect(client.received() == ["orders 5"])
    }

    @Test func `is told at once after ten thousand`() throws {
        _ = try subscribed()
        loop.append(Array(repeating: "b", count: 9999), from: 1, to: orders, bytes: 1)
        #expect(client.received() == ["live 1"])
        loop.append(["b"], from: 10_000, to: orders)
        #expect(client.received() == ["cursors orders 10000"])
    }

    @Test func `replays what fulfils it, and is live at the head`() throws {
        _ = try subscribed("$key == \"-\"", latest: 3)
        loop.answer(orders, after: 0, 1...3, latest: 3)
        #expect(client.received() == ["live 1"])
        tick(5)
        #expect(client.received() == ["cursors orders 3"])
    }

    @Test func `is told a gap that spans what was filtered`() throws {
        let subscription = try subscribed(overflow: .conflate)
        subscription.credit = ClientCredit(0)
        loop.append(["a", "a", "b", "a", "b", "a"], from: 1, to: orders, bytes: 20)
        #expect(client.received() == ["live 1"])
        client.subscriber.grant(1, to: subscription)
        loop.turn()
        #expect(client.received() == ["gap orders 1-4 conflated", "orders 6"])
    }

    @Test func `is asked once for all who have the same`() throws {
        let filter = try EventFilter("$key == \"a\"", bytesMax: 100)
        let same = try EventFilter("  $key==\"a\"", bytesMax: 100)
        let event = SharedEvent(
            TestFrame.event(1, key: "a"), of: orders, epoch: .one)
        #expect(event.fulfils(filter))
        #expect(event.fulfils(same))
        #expect(event.verdictCount == 1)
    }

    @Test func `takes another filter from then on`() throws {
        let subscription = try subscribed()
        loop.append(["a", "b"], from: 1, to: orders)
        subscription.filter = nil
        loop.append(["b"], from: 3, to: orders)
        #expect(client.received() == ["live 1", "orders 1", "orders 3"])
    }
}
