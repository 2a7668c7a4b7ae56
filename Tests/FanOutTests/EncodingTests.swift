internal import EventModel
internal import FanOut
internal import Synchronization
internal import Testing

@Suite("An encoding") struct EncodingTests {
    private let loop = TestLoop()
    private let orders: TopicName

    init() throws { orders = try TopicName("orders") }

    /// Lines that begin with a name; counts how many events it made.
    private final class Counted: Sendable {
        let made = Mutex(0)
        let name: String

        init(_ name: String) { self.name = name }

        var encoding: Encoding {
            Encoding(
                event: { [self] topic, epoch, event in
                    made.withLock { $0 += 1 }
                    let text = "\(name) \(topic) \(event.offset)" + (epoch == .one ? "" : " ?")
                    return TestFrame.line(text, bytes: 0)
                },
                notice: { TestFrame.notice($0) })
        }
    }

    private func client(_ encoding: Encoding, at cursor: Offset) throws -> TestClient {
        let client = TestClient(on: loop, encoding: encoding)
        let feed = loop.shard.feed(of: orders) ?? loop.follows(orders)
        _ = try loop.subscribed(client, patterns: ["orders"], at: [(feed, cursor)])
        return client
    }

    @Test func `makes each event once for all who take it, live and from memory`() throws {
        let (frames, lines) = (Counted("frame"), Counted("line"))
        let (frameEncoding, lineEncoding) = (frames.encoding, lines.encoding)
        let live = try (0..<3).map { _ in try client(frameEncoding, at: 0) }
        let other = try client(lineEncoding, at: 0)
        loop.append(1...2, to: orders)
        let late = try client(lineEncoding, at: 0)
        for client in live {
            #expect(client.received() == ["live 1", "frame orders 1", "frame orders 2"])
        }
        #expect(other.received() == ["live 1", "line orders 1", "line orders 2"])
        #expect(late.received() == ["line orders 1", "line orders 2", "live 1"])
        #expect(frames.made.withLock { $0 } == 2)
        #expect(lines.made.withLock { $0 } == 2)
    }

    @Test func `that nobody takes is not made`() throws {
        let frames = Counted("frame")
        let late = try client(frames.encoding, at: 0)
        late.block()
        loop.shard.remove(late.subscriber)
        loop.append(1...9, to: orders)
        #expect(frames.made.withLock { $0 } == 0)
    }

    @Test func `of a page is the asker's, and others share its events`() throws {
        let (frames, lines) = (Counted("frame"), Counted("line"))
        loop.follows(orders, latest: 2)
        let encoding = frames.encoding
        let (asker, other) = (try client(encoding, at: 0), try client(lines.encoding, at: 0))
        #expect(loop.takeReads() == [.init(topic: orders, after: 0)])
        let page = EventPage(
            position: TopicPosition(topic: orders, epoch: .one, earliest: 1, latest: 2),
            purgedBelow: 0, events: loop.events(1...2))
        loop.shard.pageArrived(ReplayPage(page, in: encoding), of: orders, after: 0)
        loop.turn()
        #expect(asker.received() == ["frame orders 1", "frame orders 2", "live 1"])
        #expect(other.received() == ["line orders 1", "line orders 2", "live 1"])
        #expect(frames.made.withLock { $0 } == 2)
    }
}

@Suite("Bytes of a subscriber's own before an event's shared ones") struct OwnBytesTests {
    private let loop = TestLoop(backlogBytesMax: 300)
    private let orders: TopicName

    init() throws { orders = try TopicName("orders") }

    private func client(_ id: Int64) throws -> TestClient {
        let client = TestClient(on: loop) { event, subscription in
            Array("\(subscription.id ?? 0)/\(event.offset) ".utf8)
        }
        let feed = loop.shard.feed(of: orders) ?? loop.follows(orders)
        _ = try loop.subscribed(client, id: id, patterns: ["orders"], at: [(feed, 0)])
        return client
    }

    @Test func `go out with them, however the socket cuts the message`() throws {
        let clients = [try client(1), try client(2)]
        for client in clients { client.block() }
        loop.append(1...2, to: orders, bytes: 40)
        #expect(clients[0].subscriber.backlog.byteCount == 2 * 44)
        for client in clients {
            for _ in 0..<100 { client.unblock(bytes: 1) }
        }
        #expect(clients[0].received() == ["live 1", "1/1 orders 1", "1/2 orders 2"])
        #expect(clients[1].received() == ["live 2", "2/1 orders 1", "2/2 orders 2"])
        #expect(clients.allSatisfy { $0.subscriber.backlog.byteCount == 0 })
    }

    @Test func `count into the budget, and are dropped with their event`() throws {
        let client = try client(1)
        client.block()
        loop.append(1...3, to: orders, bytes: 98)
        #expect(client.subscriber.backlog.byteCount <= 300)
        client.unblock()
        loop.turn()
        #expect(
            client.received() == [
                "live 1", "lagging 1 3", "1/1 orders 1", "1/2 orders 2", "1/3 orders 3", "live 1",
            ])
    }
}
