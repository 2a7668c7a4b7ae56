internal import EventModel
@testable internal import FanOut
internal import Testing

@Suite("A subscription over the budget, by its policy") struct PolicyTests {
    let loop = TestLoop(backlogBytesMax: 600, pageBytesMax: 600)
    let orders: TopicName

    init() throws { orders = try TopicName("orders") }

    private func client(
        _ policy: OverflowPolicy?, at cursor: Offset = 0, latest: Offset = 0
    ) throws -> TestClient {
        let client = TestClient(on: loop)
        _ = try loop.subscribed(
            client, patterns: ["orders"], at: [(loop.follows(orders, latest: latest), cursor)],
            options: SubscriptionOptions(overflow: policy))
        return client
    }

    private func blockedClient(_ policy: OverflowPolicy?) throws -> TestClient {
        let client = try client(policy)
        #expect(client.received() == ["live 1"])
        client.block()
        return client
    }

    // MARK: conflate

    @Test func `keeps the newest of each key, and tells what was replaced`() throws {
        let client = try blockedClient(.conflate)
        loop.append(["a", "b", "a", "c", "b", "a"], from: 1, to: orders)
        client.unblock()
        #expect(
            client.received() == ["gap orders 1-3 conflated", "orders 4", "orders 5", "orders 6"])
        loop.append(["a"], from: 7, to: orders)
        #expect(client.received() == ["orders 7"])
    }

    @Test func `lets events without a key replace one another, and no others`() throws {
        let client = try blockedClient(.conflate)
        loop.append([nil, "a", nil], from: 1, to: orders)
        client.unblock()
        #expect(client.received() == ["gap orders 1-1 conflated", "orders 2", "orders 3"])
    }

    @Test func `does not replace a message that has begun`() throws {
        let client = try blockedClient(.conflate)
        loop.append(["a", "b"], from: 1, to: orders)
        client.unblock(bytes: 50)
        loop.append(["a", "b", "a"], from: 3, to: orders)
        client.unblock()
        #expect(
            client.received() == [
                "orders 1", "gap orders 2-3 conflated", "orders 4", "orders 5",
            ])
    }

    @Test func `keeps the order of each topic where several are conflated`() throws {
        let ticks = try TopicName("ticks")
        let client = TestClient(on: loop)
        let feeds = [loop.follows(orders), loop.follows(ticks)].map { ($0, Offset(0)) }
        _ = try loop.subscribed(
            client, patterns: ["*"], at: feeds, options: SubscriptionOptions(overflow: .conflate))
        _ = client.received()
        client.block()
        loop.append(["a"], from: 1, to: orders)
        loop.append(["a"], from: 1, to: ticks)
        loop.append(["b", "a"], from: 2, to: orders)
        loop.append(["a"], from: 2, to: ticks)
        client.unblock()
        #expect(
            client.received() == [
                "gap orders 1-1 conflated", "orders 2", "orders 3", "gap ticks 1-1 conflated",
                "ticks 2",
            ])
    }

    @Test func `takes bounded room and work for one key that changes for ever`() throws {
        let client = try blockedClient(.conflate)
        loop.append(["b"], from: 1, to: orders)
        for offset in Offset(2)...100_001 { loop.append(["a"], from: offset, to: orders) }
        #expect(client.subscriber.backlog.byteCount == 200)
        #expect(client.subscriber.backlog.messageCount < 200)
        client.unblock()
        #expect(
            client.received() == ["orders 1", "gap orders 2-100000 conflated", "orders 100001"])
    }

    @Test func `drops the oldest when the keys alone are too many`() throws {
        let client = try blockedClient(.conflate)
        loop.append(["a", "b", "c", "d", "e", "f", "g"], from: 1, to: orders)
        loop.append(["g"], from: 8, to: orders)
        client.unblock()
        #expect(
            client.received() == [
                "gap orders 1-3 overflow", "orders 4", "orders 5", "orders 6",
                "gap orders 7-7 conflated", "orders 8",
            ])
        #expect(loop.takeReads() == [])
    }

    @Test func `replays a start in the past as it is, and conflates from then on`() throws {
        let loop = TestLoop(backlogBytesMax: 600, pageBytesMax: 600, recentEventsBytesMax: 0)
        let client = TestClient(on: loop)
        _ = try loop.subscribed(
            client, patterns: ["orders"], at: [(loop.follows(orders, latest: 3), 0)],
            options: SubscriptionOptions(overflow: .conflate))
        loop.answer(orders, after: 0, 1...3, latest: 3)
        client.block()
        loop.append(4...6, to: orders)
        client.unblock()
        #expect(
            client.received()
                == (1...3).map { "orders \($0)" } + [
                    "live 1", "gap orders 4-5 conflated", "orders 6",
                ])
    }

    // MARK: drop_oldest

    @Test func `drops the oldest, tells it, and never reads the log`() throws {
        let client = try blockedClient(.dropOldest)
        loop.append(1...8, to: orders)
        client.unblock()
        #expect(
            client.received() == ["gap orders 1-3 overflow"] + (4...8).map { "orders \($0)" })
        #expect(loop.takeReads() == [])
    }

    @Test func `tells all that is too large for it when there is room`() throws {
        let client = try blockedClient(.dropOldest)
        loop.append(1...2, to: orders)
        loop.append(3...3, to: orders, bytes: 2000)
        client.unblock()
        #expect(client.received() == ["gap orders 1-3 overflow"])
        loop.append(4...4, to: orders)
        #expect(client.received() == ["orders 4"])
        #expect(loop.takeReads() == [])
    }

    @Test func `reads a start in the past from the log, also when it gives way meanwhile`() throws {
        let loop = TestLoop(backlogBytesMax: 600, pageBytesMax: 600, recentEventsBytesMax: 0)
        let client = TestClient(on: loop)
        let ticks = try TopicName("ticks")
        client.block()
        _ = try loop.subscribed(
            client, patterns: ["orders"], at: [(loop.follows(orders, latest: 9), 0)],
            options: SubscriptionOptions(overflow: .dropOldest))
        _ = try loop.subscribed(client, id: 2, patterns: ["ticks"], at: [(loop.follows(ticks), 0)])
        client.subscriber.refill()
        loop.answer(orders, after: 0, 1...5, latest: 9)
        loop.append(1...2, to: ticks)
        client.unblock()
        #expect(loop.takeReads().last == .init(topic: orders, after: 0))
        loop.answer(orders, after: 0, 1...9, latest: 9, bytes: 20)
        #expect(client.received().filter { $0.hasPrefix("gap") } == [])
    }

    // MARK: disconnect

    @Test func `ends the session, and delivers nothing more`() throws {
        let client = try blockedClient(.disconnect)
        loop.append(1...6, to: orders)
        #expect(!client.subscriber.isOverflowed)
        loop.append(7...8, to: orders)
        #expect(client.subscriber.isOverflowed)
        loop.append(9...9, to: orders)
        client.unblock()
        #expect(client.received() == [])
    }

    // MARK: The topic's own

    @Test func `is the topic's own where the subscription names none`() throws {
        loop.policies[orders] = .dropOldest
        let client = try blockedClient(nil)
        loop.append(1...8, to: orders)
        client.unblock()
        #expect(client.received().first == "gap orders 1-3 overflow")
    }

    @Test func `is its own where the topic has another`() throws {
        loop.policies[orders] = .disconnect
        let client = try blockedClient(.replay)
        loop.append(1...8, to: orders)
        client.unblock()
        #expect(client.received().first == "lagging 1 8")
    }

    @Test func `follows the topic's within a tick`() throws {
        let client = try blockedClient(nil)
        loop.append(1...1, to: orders)
        loop.policies[orders] = .conflate
        _ = loop.shard.tick(now: loop.start + .seconds(1))
        loop.append(2...3, to: orders)
        client.unblock()
        #expect(client.received() == ["orders 1", "gap orders 2-2 conflated", "orders 3"])
    }

    @Test func `means dropping the oldest where a topic without a log is to be replayed`() throws {
        let client = TestClient(on: loop)
        _ = try loop.subscribed(
            client, patterns: ["orders"], at: [(loop.follows(orders, isEphemeral: true), 0)],
            options: SubscriptionOptions(overflow: .replay))
        client.block()
        loop.append(1...8, to: orders)
        client.unblock()
        #expect(client.received().contains { $0.hasSuffix("overflow") })
    }

    // MARK: All sessions together

    @Test func `is followed by the largest of all sessions first`() throws {
        let loop = TestLoop(backlogBytesMax: 2000, backlogsBytesMax: 2400)
        let small = TestClient(on: loop)
        let large = TestClient(on: loop)
        let ticks = try TopicName("ticks")
        let feeds = [loop.follows(orders), loop.follows(ticks)]
        _ = try loop.subscribed(small, patterns: ["ticks"], at: [(feeds[1], 0)])
        _ = try loop.subscribed(large, patterns: ["orders"], at: [(feeds[0], 0)])
        for client in [small, large] {
            _ = client.received()
            client.block()
        }
        loop.append(1...16, to: orders)
        loop.append(1...8, to: ticks)
        #expect(small.subscriber.backlog.byteCount == 800)
        loop.append(9...9, to: ticks)
        #expect(small.subscriber.backlog.byteCount == 900)
        large.unblock()
        small.unblock()
        #expect(
            large.received()
                == ["lagging 1 16"] + (1...16).map { "orders \($0)" } + ["live 1"])
        #expect(small.received() == (1...9).map { "ticks \($0)" })
    }
}
