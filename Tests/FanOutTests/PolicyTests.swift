internal import EventModel
@testable internal import FanOut
internal import Testing

@Suite("A subscription over the budget, by its policy") struct PolicyTests {
    let loop = TestLoop(backlogBytesMax: 1000, pageBytesMax: 1000)
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
        // What goes out next is not acted upon; all behind it is.
        loop.append(["-", "+"], from: 1, to: orders, bytes: 130)
        return client
    }

    /// What was received behind the two that go out next.
    private func rest(_ client: TestClient) -> [String] {
        client.unblock()
        let received = client.received()
        #expect(received.prefix(2) == ["orders 1", "orders 2"])
        return Array(received.dropFirst(2))
    }

    // MARK: conflate

    @Test func `keeps the newest of each key, and tells what was replaced`() throws {
        let client = try blockedClient(.conflate)
        loop.append(["a", "b", "a", "c", "b", "a"], from: 3, to: orders)
        #expect(
            rest(client) == ["gap orders 3-5 conflated", "orders 6", "orders 7", "orders 8"])
        loop.append(["a"], from: 9, to: orders)
        #expect(client.received() == ["orders 9"])
    }

    @Test func `lets events without a key replace one another, and no others`() throws {
        let client = try blockedClient(.conflate)
        loop.append([nil, "a", nil], from: 3, to: orders)
        #expect(rest(client) == ["gap orders 3-3 conflated", "orders 4", "orders 5"])
    }

    @Test func `keeps the order of each topic where several are conflated`() throws {
        let ticks = try TopicName("ticks")
        let client = TestClient(on: loop)
        let feeds = [loop.follows(orders), loop.follows(ticks)].map { ($0, Offset(0)) }
        _ = try loop.subscribed(
            client, patterns: ["*"], at: feeds, options: SubscriptionOptions(overflow: .conflate))
        _ = client.received()
        client.block()
        loop.append(["-", "+"], from: 1, to: orders, bytes: 130)
        loop.append(["a"], from: 3, to: orders)
        loop.append(["a"], from: 1, to: ticks)
        loop.append(["b", "a"], from: 4, to: orders)
        loop.append(["a"], from: 2, to: ticks)
        #expect(
            rest(client) == [
                "gap orders 3-3 conflated", "orders 4", "orders 5", "gap ticks 1-1 conflated",
                "ticks 2",
            ])
    }

    @Test func `takes bounded room and work for one key that changes for ever`() throws {
        let client = try blockedClient(.conflate)
        loop.append(["b"], from: 3, to: orders)
        for offset in Offset(4)...10_001 { loop.append(["a"], from: offset, to: orders) }
        #expect(client.subscriber.waitingBytes < 600)
        #expect(rest(client) == ["orders 3", "gap orders 4-10000 conflated", "orders 10001"])
    }

    @Test func `drops the oldest when the keys alone are too many`() throws {
        let client = try blockedClient(.conflate)
        loop.append(["a", "b", "c", "d", "e", "e"], from: 3, to: orders)
        #expect(
            rest(client) == [
                "gap orders 3-4 overflow", "orders 5", "orders 6", "gap orders 7-7 conflated",
                "orders 8",
            ])
        #expect(loop.takeReads() == [])
    }

    @Test func `replays a start in the past as it is, and conflates from then on`() throws {
        let loop = TestLoop(backlogBytesMax: 1000, pageBytesMax: 1000, recentEventsBytesMax: 0)
        let client = TestClient(on: loop)
        _ = try loop.subscribed(
            client, patterns: ["orders"], at: [(loop.follows(orders, latest: 3), 0)],
            options: SubscriptionOptions(overflow: .conflate))
        loop.answer(orders, after: 0, 1...3, latest: 3)
        client.block()
        loop.append(4...8, to: orders)
        client.unblock()
        #expect(
            client.received()
                == (1...3).map { "orders \($0)" } + [
                    "live 1", "orders 4", "orders 5", "orders 6", "gap orders 7-7 conflated",
                    "orders 8",
                ])
    }

    // MARK: drop_oldest

    @Test func `drops the oldest, tells it, and never reads the log`() throws {
        let client = try blockedClient(.dropOldest)
        loop.append(3...8, to: orders)
        #expect(
            rest(client) == ["gap orders 3-4 overflow"] + (5...8).map { "orders \($0)" })
        #expect(loop.takeReads() == [])
    }

    @Test func `keeps an event that is larger than the budget`() throws {
        let client = try blockedClient(.dropOldest)
        loop.append(3...4, to: orders)
        loop.append(5...5, to: orders, bytes: 2000)
        #expect(rest(client) == ["gap orders 3-4 overflow", "orders 5"])
        #expect(loop.takeReads() == [])
    }

    @Test func `reads a start in the past from the log`() throws {
        let loop = TestLoop(backlogBytesMax: 600, pageBytesMax: 600, recentEventsBytesMax: 0)
        let client = TestClient(on: loop)
        _ = try loop.subscribed(
            client, patterns: ["orders"], at: [(loop.follows(orders, latest: 9), 0)],
            options: SubscriptionOptions(overflow: .dropOldest))
        #expect(loop.takeReads() == [.init(topic: orders, after: 0)])
        loop.answer(orders, after: 0, 1...5, latest: 9)
        loop.answer(orders, after: 5, 6...9, latest: 9)
        #expect(client.received() == (1...9).map { "orders \($0)" } + ["live 1"])
    }

    // MARK: disconnect

    @Test func `ends the session, and delivers nothing more`() throws {
        let client = try blockedClient(.disconnect)
        loop.append(3...9, to: orders)
        #expect(!client.subscriber.takeOverflow())
        loop.append(10...11, to: orders)
        #expect(client.subscriber.takeOverflow())
        #expect(!client.subscriber.takeOverflow())
    }

    // MARK: The topic's own

    @Test func `is the topic's own where the subscription names none`() throws {
        loop.policies[orders] = .dropOldest
        let client = try blockedClient(nil)
        loop.append(3...8, to: orders)
        #expect(rest(client).first == "gap orders 3-4 overflow")
    }

    @Test func `is its own where the topic has another`() throws {
        loop.policies[orders] = .disconnect
        let client = try blockedClient(.replay)
        loop.append(3...10, to: orders)
        client.unblock()
        #expect(client.received().first == "lagging 1 10")
    }

    @Test func `follows the topic's within a tick`() throws {
        let client = try blockedClient(nil)
        loop.policies[orders] = .conflate
        _ = loop.shard.tick(now: loop.start + .seconds(1))
        loop.append(3...4, to: orders)
        #expect(rest(client) == ["gap orders 3-3 conflated", "orders 4"])
    }

    @Test func `means dropping the oldest where a topic without a log is to be replayed`() throws {
        let client = TestClient(on: loop)
        _ = try loop.subscribed(
            client, patterns: ["orders"], at: [(loop.follows(orders, isEphemeral: true), 0)],
            options: SubscriptionOptions(overflow: .replay))
        client.block()
        loop.append(1...20, to: orders)
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
