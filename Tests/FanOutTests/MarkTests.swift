internal import EventModel
internal import FanOut
internal import Testing

/// What each message says that goes out: where its client stands.
@Suite("Marks before messages that move a client on") struct MarkTests {
    private let loop = TestLoop(backlogBytesMax: 300)
    private let orders: TopicName
    private let trades: TopicName

    init() throws { (orders, trades) = (try TopicName("orders"), try TopicName("trades")) }

    private func client(
        _ patterns: [String] = ["orders", "trades"], at cursors: [(TopicFeed, Offset)]
    ) throws -> TestClient {
        let client = TestClient(on: loop)
        client.subscriber.mark { topic, cursor in
            Array("\(topic)@\(cursor.map { "\($0)" } ?? "-") ".utf8)
        }
        _ = try loop.subscribed(client, patterns: patterns, at: cursors)
        return client
    }

    @Test func `tell the cursor with the message consumed, and nothing before others`() throws {
        let client = try client(at: [(loop.follows(orders), 0), (loop.follows(trades), 0)])
        client.subscriber.sendControl(TestFrame.control("reply"))
        loop.append(1...2, to: orders)
        loop.append(1...1, to: trades)
        #expect(
            client.received() == [
                "live 1", "reply", "orders@aaaaaaaaaa1-1 orders 1",
                "orders@aaaaaaaaaa1-2 orders 2", "trades@aaaaaaaaaa1-1 trades 1",
            ])
    }

    @Test func `are made when a message goes out: of what was dropped nothing is told`() throws {
        let client = try client(at: [(loop.follows(orders), 0), (loop.follows(trades), 0)])
        client.block()
        loop.append(1...1, to: trades)
        loop.append(1...3, to: orders)
        #expect(client.subscriber.backlog.byteCount <= 300)
        client.unblock()
        loop.turn()
        let received = client.received()
        #expect(received.contains("lagging 1 4"))
        #expect(
            received.filter { $0.contains("orders") } == [
                "orders@aaaaaaaaaa1-1 orders 1", "orders@aaaaaaaaaa1-2 orders 2",
                "orders@aaaaaaaaaa1-3 orders 3",
            ])
        #expect(received.filter { $0.contains("trades") } == ["trades@aaaaaaaaaa1-1 trades 1"])
    }

    @Test func `are in no budget, and come whole however the socket cuts them`() throws {
        let client = try client(at: [(loop.follows(orders), 0)])
        client.block()
        loop.append(1...2, to: orders, bytes: 40)
        #expect(client.subscriber.backlog.byteCount == 80)
        for _ in 0..<200 { client.unblock(bytes: 1) }
        #expect(
            client.received() == [
                "live 1", "orders@aaaaaaaaaa1-1 orders 1", "orders@aaaaaaaaaa1-2 orders 2",
            ])
        #expect(client.subscriber.backlog.byteCount == 0)
        #expect(client.subscriber.backlog.isEmpty)
    }

    @Test func `go behind a gap, and back with a reset`() throws {
        let client = try client(["orders"], at: [(loop.follows(orders, latest: 5), 2)])
        loop.answer(orders, after: 2, 5...5, latest: 5, earliest: 5)
        loop.restart(orders, fork: 3)
        loop.append(4...4, to: orders, epoch: .two)
        #expect(
            client.received() == [
                "orders@aaaaaaaaaa1-4 gap orders 3-4 retention",
                "orders@aaaaaaaaaa1-5 orders 5", "live 1",
                "orders@bbbbbbbbbb1-3 reset orders bbbbbbbbbb1-3 restored",
                "orders@bbbbbbbbbb1-4 orders 4",
            ])
    }

    @Test func `forget a topic that is gone`() throws {
        let client = try client(["orders"], at: [(loop.follows(orders), 0)])
        loop.append(1...1, to: orders)
        client.block()
        loop.append(2...2, to: orders)
        loop.shard.deleted(orders)
        client.unblock()
        loop.turn()
        #expect(
            client.received() == [
                "live 1", "orders@aaaaaaaaaa1-1 orders 1", "orders@- reset orders - deleted",
            ])
    }
}

@Suite("A notice behind which nothing may go out") struct LastNoticeTests {
    private let loop = TestLoop()
    private let orders: TopicName

    init() throws { orders = try TopicName("orders") }

    @Test func `goes out behind what was before it, and ends the output once`() throws {
        let encoding = Encoding(
            event: { topic, _, event in TestFrame.line("\(topic) \(event.offset)", bytes: 0) },
            notice: { _ in [] },
            isLast: { if case .gap = $0 { true } else { false } })
        let client = TestClient(on: loop, encoding: encoding)
        let feed = loop.follows(orders, latest: 2)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 2)])
        #expect(client.received() == [])
        loop.append(3...3, to: orders)
        loop.shard.purged(orders, earliest: 6)
        loop.turn()
        loop.answer(orders, after: 3, 6...6, latest: 6, earliest: 6, purgedBelow: 6)
        #expect(client.received() == ["orders 3"])
        #expect(client.hasEnded)
        let isToldAgain = client.subscriber.backlog.takeEnd()
        #expect(!isToldAgain)
    }
}
