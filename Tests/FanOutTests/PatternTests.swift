internal import EventModel
@testable internal import FanOut
internal import Testing

@Suite("A subscription of a pattern") struct PatternTests {
    let loop = TestLoop()
    let orders: TopicName
    let invoices: TopicName

    init() throws {
        orders = try TopicName("t.orders")
        invoices = try TopicName("t.invoices")
    }

    private func client(_ patterns: [String] = ["t.*"], id: Int64 = 1) throws -> TestClient {
        let client = TestClient(on: loop)
        _ = try loop.subscribed(client, id: id, patterns: patterns, at: [])
        #expect(client.received() == ["live \(id)"])
        return client
    }

    private func position(
        _ topic: TopicName, latest: Offset, epoch: Epoch = .one, isEphemeral: Bool = false
    ) -> TopicPosition {
        TopicPosition(
            topic: topic, epoch: epoch, earliest: 1, latest: latest, isEphemeral: isEphemeral)
    }

    /// Events of a topic that only the pattern follows.
    private func append(_ offsets: ClosedRange<Offset>, to topic: TopicName) {
        loop.shard.appended(
            loop.events(offsets), to: topic, epoch: .one,
            at: position(topic, latest: offsets.lowerBound - 1))
        loop.turn()
    }

    @Test func `gets what comes, and has no place in any topic`() throws {
        let client = TestClient(on: loop)
        let subscription = try loop.subscribed(client, patterns: ["t.*"], at: [])
        append(5...6, to: orders)
        append(8...8, to: invoices)
        #expect(client.received() == ["live 1", "t.orders 5", "t.orders 6", "t.invoices 8"])
        #expect(subscription.readers.isEmpty)
        #expect(loop.shard.feed(of: orders)?.readers.isEmpty == true)
        #expect(loop.takeFollows() == [])
    }

    @Test func `makes no feed of what nobody matches`() throws {
        _ = try client(["u.*"])
        append(1...1, to: orders)
        #expect(loop.shard.feed(of: orders) == nil)
    }

    @Test func `gets an event once, however many of its patterns match`() throws {
        let client = try client(["t.*", "*.orders", "t.>", "t.orders"])
        append(5...5, to: orders)
        #expect(client.received() == ["t.orders 5"])
    }

    @Test func `gets an event once, however often it names the topic or the pattern`() throws {
        let client = TestClient(on: loop)
        let start = (loop.follows(orders), Offset(0))
        _ = try loop.subscribed(client, patterns: ["t.orders", "t.orders"], at: [start])
        loop.append(1...1, to: orders)
        #expect(client.received() == ["live 1", "t.orders 1"])
        let other = try self.client(["t.*", "t.*"], id: 2)
        #expect(loop.patterns == [try TopicPattern("t.*")])
        loop.append(2...2, to: orders)
        #expect(other.received() == ["t.orders 2"])
    }

    @Test func `has a place in a topic from when it falls back until it is live again`() throws {
        let client = TestClient(on: loop)
        let subscription = try loop.subscribed(client, patterns: ["t.*"], at: [])
        client.block()
        append(5...8, to: orders)
        append(1...1, to: invoices)
        #expect(subscription.readers.isEmpty)
        append(9...16, to: orders)
        #expect(subscription.readers.count == 2)
        client.unblock()
        let received = client.received()
        #expect(received.filter { $0.hasPrefix("l") } == ["live 1", "lagging 1 13", "live 1"])
        #expect(received.filter { $0.contains("orders") } == (5...16).map { "t.orders \($0)" })
        #expect(received.filter { $0.contains("invoices") } == ["t.invoices 1"])
        #expect(subscription.readers.isEmpty)
    }

    @Test func `is told what retention took before the loop had the topic`() throws {
        let client = try client()
        loop.shard.purged(orders, earliest: 9, at: position(orders, latest: 5))
        loop.turn()
        #expect(loop.takeReads() == [.init(topic: orders, after: 5)])
        loop.answer(orders, after: 5, nil, latest: 8, earliest: 9)
        append(9...9, to: orders)
        #expect(
            client.received()
                == ["lagging 1 3", "gap t.orders 6-8 retention", "live 1", "t.orders 9"])
    }

    @Test func `is told that a topic ends of which it may have got something`() throws {
        let client = try client()
        loop.shard.deleted(orders, at: position(orders, latest: 5))
        loop.shard.deleted(invoices, at: position(invoices, latest: 0))
        loop.turn()
        #expect(client.received() == ["reset t.orders - deleted"])
    }

    @Test func `is reset where the log goes on below what was told`() throws {
        let client = try client()
        loop.shard.restarted(
            position(orders, latest: 3, epoch: .two), fork: 3, from: position(orders, latest: 5))
        loop.shard.restarted(
            position(invoices, latest: 5, epoch: .two), fork: 5,
            from: position(invoices, latest: 5))
        loop.turn()
        #expect(client.received() == ["reset t.orders bbbbbbbbbb1-3 restored"])
        #expect(loop.shard.feed(of: invoices) == nil)
    }

    @Test func `is told what an ephemeral topic lost before the loop had it`() throws {
        let client = try client()
        loop.shard.purged(
            orders, earliest: 4, at: position(orders, latest: 1, isEphemeral: true))
        loop.turn()
        #expect(client.received() == ["gap t.orders 2-3 ephemeral"])
    }

    @Test func `joins a new topic though its first events were told before it was asked for`()
        throws
    {
        let client = try client()
        loop.shard.created([orders])
        #expect(loop.takeFollows() == [[orders]])
        append(1...2, to: orders)
        loop.follows(orders, latest: 2)
        append(3...3, to: orders)
        #expect(client.received() == ["t.orders 1", "t.orders 2", "t.orders 3"])
    }

    @Test func `shares its pattern with equals, for a minute after the last has gone`() throws {
        let pattern = try TopicPattern("t.*")
        let clients = [try client(id: 1), try client(id: 2)]
        #expect(loop.patterns == [pattern])
        for client in clients { loop.shard.remove(client.subscriber) }
        _ = loop.shard.tick(now: loop.start + .seconds(60))
        #expect(loop.patterns == [pattern])
        _ = loop.shard.tick(now: loop.start + .seconds(61))
        #expect(loop.patterns == [])
    }

    @Test func `does not leave a feed behind that nothing follows any more`() throws {
        let client = try client()
        loop.shard.restarted(
            position(orders, latest: 0, epoch: .two), fork: 0, from: position(orders, latest: 5))
        loop.shard.remove(client.subscriber)
        _ = loop.shard.tick(now: loop.start + .seconds(61))
        #expect(loop.patterns == [])
        #expect(loop.shard.feed(of: orders) == nil)
        let later = try self.client(id: 2)
        append(23...23, to: orders)
        #expect(later.received() == ["t.orders 23"])
    }

    @Test func `is followed until a topic that another names is followed by its name`() throws {
        let pattern = try TopicPattern("t.*")
        let named = try client(["t.orders"], id: 2)
        let client = try client()
        loop.shard.created([orders])
        append(1...2, to: orders)
        #expect(loop.takeFollows() == [[orders]])
        // The log could not be asked.
        #expect(loop.shard.topicsAwaited == [orders])
        loop.shard.remove(client.subscriber)
        _ = loop.shard.tick(now: loop.start + .seconds(61))
        #expect(loop.patterns == [pattern])
        append(3...3, to: orders)
        loop.follows(orders, latest: 3)
        #expect(loop.shard.topicsAwaited == [])
        _ = loop.shard.tick(now: loop.start + .seconds(62))
        #expect(loop.patterns == [])
        loop.append(4...4, to: orders)
        #expect(named.received() == (1...4).map { "t.orders \($0)" })
    }

    @Test func `alone makes a feed of what is told, while a name waits to be followed`() throws {
        let named = try client(["t.orders"])
        loop.shard.created([orders])
        append(1...1, to: orders)
        #expect(loop.shard.feed(of: orders) == nil)
        loop.follows(orders, latest: 1)
        loop.turn()
        #expect(loop.takeReads() == [.init(topic: orders, after: 0)])
        loop.answer(orders, after: 0, 1...1, latest: 1)
        #expect(named.received() == ["t.orders 1"])
    }

    @Test func `does not keep a feed that has no events for a minute`() throws {
        let client = try client()
        append(5...5, to: orders)
        _ = loop.shard.tick(now: loop.start + .seconds(60))
        #expect(loop.shard.tick(now: loop.start + .seconds(121)) == [])
        append(6...6, to: orders)
        #expect(client.received() == ["t.orders 5", "t.orders 6"])
    }

    @Test func `keeps a feed of which messages wait`() throws {
        let client = try client()
        client.block()
        append(5...5, to: orders)
        _ = loop.shard.tick(now: loop.start + .seconds(100))
        append(6...16, to: orders)
        client.unblock()
        #expect(
            client.received()
                == ["lagging 1 12"] + (5...16).map { "t.orders \($0)" } + ["live 1"])
    }

    @Test func `resumes in 10,000 topics with as many reads as it is behind in`() throws {
        let loop = TestLoop(recentEventsBytesMax: 0)
        let client = TestClient(on: loop)
        let topics = try (0..<10_000).map { try TopicName("t.\($0)") }
        let starts = topics.enumerated().map { number, topic in
            (loop.follows(topic, latest: 5), Offset([10, 500, 9999].contains(number) ? 3 : 5))
        }
        let subscription = try loop.subscribed(client, patterns: ["t.*"], at: starts)
        #expect(subscription.readers.count == 3)
        var reads: [TopicName] = []
        while true {
            let asked = loop.takeReads()
            if asked.isEmpty { break }
            reads += asked.map(\.topic)
            for read in asked { loop.answer(read.topic, after: 3, 4...5, latest: 5) }
        }
        #expect(Set(reads) == [topics[10], topics[500], topics[9999]] && reads.count == 3)
        #expect(subscription.readers.isEmpty)
        #expect(client.received().count == 7)
    }

    @Test func `that is equal to a thousand others costs a topic one look`() throws {
        for id in 0..<1000 { _ = try client(id: Int64(id)) }
        append(1...1, to: orders)
        #expect(loop.shard.feed(of: orders)?.groups?.found.count == 1)
        #expect(loop.shard.followerCount(of: orders) == 1000)
    }
}
