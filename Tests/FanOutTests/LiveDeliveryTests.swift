internal import EventModel
@testable internal import FanOut
internal import Testing

@Suite("A live subscription") struct LiveDeliveryTests {
    let loop = TestLoop()
    let orders: TopicName

    init() throws { orders = try TopicName("orders") }

    @Test func `is told live once, and then gets every event in order`() throws {
        let client = TestClient(on: loop)
        _ = try loop.subscribed(
            client, patterns: ["orders"], at: [(loop.follows(orders, latest: 4), 4)])
        loop.append(5...6, to: orders)
        loop.append(7...7, to: orders)
        #expect(client.received() == ["live 1", "orders 5", "orders 6", "orders 7"])
    }

    @Test func `gets nothing of a topic that it does not follow`() throws {
        let client = TestClient(on: loop)
        loop.follows(try TopicName("invoices"))
        _ = try loop.subscribed(
            client, patterns: ["orders"], at: [(loop.follows(orders), 0)])
        loop.append(1...2, to: try TopicName("invoices"))
        loop.append(1...2, to: try TopicName("unknown"))
        #expect(client.received() == ["live 1"])
    }

    @Test func `does not get again what was told before it joined`() throws {
        let client = TestClient(on: loop)
        let feed = loop.follows(orders, latest: 4)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 4)])
        loop.append(3...6, to: orders)
        loop.append(5...6, to: orders)
        #expect(client.received() == ["live 1", "orders 5", "orders 6"])
    }

    @Test func `that begins beyond what the loop was told is trimmed by its cursor`() throws {
        let client = TestClient(on: loop)
        let feed = loop.follows(orders, latest: 4)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 6)])
        loop.append(5...5, to: orders)
        loop.append(6...8, to: orders)
        #expect(client.received() == ["live 1", "orders 7", "orders 8"])
    }

    @Test func `is flushed once a turn, however much came`() throws {
        let client = TestClient(on: loop)
        let feed = loop.follows(orders)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 0)])
        let flushes = client.flushes
        loop.shard.appended(loop.events(1...2), to: orders, epoch: .one)
        loop.shard.appended(loop.events(3...3), to: orders, epoch: .one)
        #expect(loop.flushesScheduled == 1)
        loop.turn()
        #expect(client.flushes == flushes + 1)
    }

    @Test func `shares the bytes of an event with all others`() throws {
        let clients = (0..<3).map { _ in TestClient(on: loop) }
        let feed = loop.follows(orders)
        for client in clients {
            _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, 0)])
            client.block()
        }
        weak var event: SharedEvent?
        do {
            let shared = SharedEvent(TestFrame.event(1), of: orders, epoch: .one)
            event = shared
            loop.shard.appended([shared], to: orders)
        }
        loop.turn()
        #expect(event != nil)
        for client in clients {
            client.unblock()
            #expect(client.received() == ["live 1", "orders 1"])
        }
    }

    @Test func `of a single-topic stream has no id`() throws {
        let client = TestClient(on: loop)
        let subscription = Subscription(
            id: nil, patterns: [TopicPattern(orders)], subscriber: client.subscriber)
        loop.shard.register(subscription)
        loop.shard.join(subscription, [ReaderStart(feed: loop.follows(orders), cursor: 0)])
        loop.turn()
        #expect(client.received() == ["live -"])
    }

    @Test func `begins with the reset that its cursor needs`() throws {
        let client = TestClient(on: loop)
        let subscription = try loop.registered(client, patterns: ["orders"])
        let start = ReaderStart(
            feed: loop.follows(orders, latest: 7, epoch: .two), cursor: 7, reset: .restored)
        loop.shard.join(subscription, [start])
        loop.turn()
        #expect(client.received() == ["reset orders bbbbbbbbbb1-7 restored", "live 1"])
    }
}
