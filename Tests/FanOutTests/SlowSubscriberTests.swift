internal import EventModel
internal import FanOut
internal import Testing

@Suite("A subscriber that reads too slowly") struct SlowSubscriberTests {
    let loop = TestLoop(backlogBytesMax: 300, pageBytesMax: 200)
    let orders: TopicName
    let invoices: TopicName

    init() throws {
        orders = try TopicName("orders")
        invoices = try TopicName("invoices")
    }

    private func client(_ topics: [TopicName]) throws -> TestClient {
        let client = TestClient(on: loop)
        for (index, topic) in topics.enumerated() {
            _ = try loop.subscribed(
                client, id: Int64(index + 1), patterns: [topic.text],
                at: [(loop.follows(topic), 0)])
        }
        _ = client.received()
        client.block()
        return client
    }

    @Test func `is told lagging once, replays from its cursor, and is told live`() throws {
        let client = try client([orders])
        loop.append(1...4, to: orders)
        loop.append(5...9, to: orders)
        client.unblock()
        #expect(
            client.received() == ["lagging 1 4"] + (1...9).map { "orders \($0)" } + ["live 1"])
        loop.append(10...10, to: orders)
        #expect(client.received() == ["orders 10"])
    }

    @Test func `lags and is live again as often as it falls behind`() throws {
        let client = try client([orders])
        loop.append(1...4, to: orders)
        client.unblock()
        client.block()
        _ = client.received()
        loop.append(5...8, to: orders)
        client.unblock()
        #expect(
            client.received() == ["lagging 1 4"] + (5...8).map { "orders \($0)" } + ["live 1"])
    }

    @Test func `gets a message that has begun to its end, and nothing twice`() throws {
        let client = try client([orders])
        loop.append(1...3, to: orders)
        client.unblock(bytes: 50)
        loop.append(4...6, to: orders)
        client.unblock()
        #expect(
            client.received()
                == ["orders 1", "lagging 1 5"] + (2...6).map { "orders \($0)" } + ["live 1"])
    }

    @Test func `is fed at the pace of its socket`() throws {
        let client = try client([orders])
        loop.append(1...40, to: orders)
        for _ in 0..<20 {
            client.unblock(bytes: 70)
            #expect(client.subscriber.backlog.byteCount <= 300)
        }
        client.unblock()
        #expect(client.received().count == 42)
    }

    @Test func `gives up the backlog of its hungriest subscription only`() throws {
        let client = try client([orders, invoices])
        loop.append(1...1, to: invoices)
        loop.append(1...2, to: orders)
        loop.append(2...2, to: invoices)
        client.unblock()
        #expect(
            client.received() == [
                "invoices 1", "lagging 1 2", "invoices 2", "orders 1", "orders 2", "live 1",
            ])
    }

    @Test func `may have one subscription that lags while the other stays live`() throws {
        let client = try client([orders, invoices])
        loop.append(1...4, to: orders, bytes: 120)
        loop.append(1...2, to: invoices)
        loop.append(5...5, to: orders, bytes: 120)
        client.unblock()
        let received = client.received()
        #expect(received.filter { $0.hasPrefix("invoices") } == ["invoices 1", "invoices 2"])
        #expect(received.filter { $0.hasPrefix("orders") } == (1...5).map { "orders \($0)" })
        #expect(received.filter { $0.hasPrefix("l") } == ["lagging 1 4", "live 1"])
    }

    @Test func `costs the others nothing`() throws {
        _ = try client([orders])
        let other = TestClient(on: loop)
        _ = try loop.subscribed(
            other, patterns: ["orders"], at: [(loop.follows(orders), 0)])
        loop.append(1...20, to: orders)
        loop.append(21...40, to: orders)
        loop.append(41...41, to: orders)
        let received = other.received()
        #expect(received.filter { $0.hasPrefix("orders") } == (1...41).map { "orders \($0)" })
    }

    @Test func `is refilled from all its topics in turn`() throws {
        let client = try client([])
        let topics = try (1...4).map { try TopicName("topic-\($0)") }
        let starts = topics.map { (loop.follows($0), Offset(0)) }
        for topic in topics { loop.append(1...40, to: topic) }
        _ = try loop.subscribed(client, patterns: ["*"], at: starts)
        client.unblock(bytes: 1600)
        let seen = Set(client.received().compactMap { $0.split(separator: " ").first })
        #expect(seen == Set(topics.map { $0.text[...] }))
    }

    @Test func `falls back below a page that is being read, and ignores it`() throws {
        let loop = TestLoop(backlogBytesMax: 300, pageBytesMax: 200, recentEventsBytesMax: 0)
        let client = TestClient(on: loop)
        let feed = loop.follows(orders, latest: 9)
        _ = try loop.subscribed(client, id: 1, patterns: ["orders"], at: [(feed, 0)])
        _ = try loop.subscribed(
            client, id: 2, patterns: ["invoices"], at: [(loop.follows(invoices), 0)])
        #expect(loop.takeReads() == [.init(topic: orders, after: 0)])
        client.block()
        loop.answer(orders, after: 0, 1...1, latest: 9)
        client.subscriber.refill()
        #expect(loop.takeReads() == [.init(topic: orders, after: 1)])
        loop.append(1...1, to: invoices, bytes: 250)
        loop.answer(orders, after: 1, 2...3, latest: 9)
        loop.tick()
        client.unblock()
        #expect(client.received() == ["live 2", "invoices 1"])
        #expect(loop.takeReads() == [.init(topic: orders, after: 0)])
        loop.answer(orders, after: 0, 1...3, latest: 9)
        #expect(client.received() == ["orders 1", "orders 2", "orders 3"])
    }
}
