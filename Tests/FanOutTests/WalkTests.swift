internal import EventModel
@testable internal import FanOut
internal import Testing

@Suite("A subscription that walks through its topics") struct WalkTests {
    let loop = TestLoop(recentEventsBytesMax: 0)
    let topics: [TopicName]

    init() throws { topics = try ["a", "b", "c", "d"].map { try TopicName("t.\($0)") } }

    /// What the walk asked, which the test answers.
    private final class Source: TopicWalkSource {
        var asked: [TopicName?] = []

        func proceed(_ subscription: Subscription, behind reached: TopicName?) {
            asked.append(reached)
        }
    }

    private func walking(
        _ client: TestClient, _ source: Source
    ) throws -> Subscription {
        let subscription = try loop.registered(client, patterns: ["t.*"])
        loop.shard.join(subscription, [], walk: source)
        loop.turn()
        #expect(source.asked == [nil])
        #expect(client.received() == [])
        return subscription
    }

    private func walked(
        _ subscription: Subscription, _ starts: [(TopicFeed, Offset)], through topic: TopicName?
    ) {
        loop.shard.walked(
            subscription, starts.map { ReaderStart(feed: $0, cursor: $1) }, through: topic)
        loop.turn()
    }

    @Test func `is live when it has reached the last and replayed it`() throws {
        let (client, source) = (TestClient(on: loop), Source())
        let subscription = try walking(client, source)
        let feeds = topics.map { loop.follows($0, latest: 1) }
        walked(subscription, [(feeds[0], 0), (feeds[1], 1)], through: topics[1])
        #expect(loop.takeReads() == [.init(topic: topics[0], after: 0)])
        #expect(source.asked == [nil, topics[1]])
        loop.answer(topics[0], after: 0, 1...1, latest: 1)
        #expect(client.received() == ["t.a 1"])
        walked(subscription, [(feeds[2], 1), (feeds[3], 0)], through: nil)
        loop.answer(topics[3], after: 0, 1...1, latest: 1)
        #expect(client.received() == ["t.d 1", "live 1"])
        #expect(subscription.readers.isEmpty && !client.subscriber.isReplaying)
    }

    @Test func `leaves live events to the walk where it has not come by yet`() throws {
        let (client, source) = (TestClient(on: loop), Source())
        let subscription = try walking(client, source)
        let feeds = topics.map { loop.follows($0, latest: 1) }
        walked(subscription, [(feeds[0], 1)], through: topics[0])
        loop.append(2...2, to: topics[0])
        loop.append(2...3, to: topics[1])
        #expect(client.received() == ["t.a 2"])
        // `last:1` means the head at which the subscription began.
        #expect(loop.shard.startPosition(of: feeds[1], for: subscription).latest == 1)
        walked(subscription, [(feeds[1], 0), (feeds[2], 1), (feeds[3], 1)], through: nil)
        loop.answer(topics[1], after: 0, 1...3, latest: 3)
        #expect(client.received() == ["t.b 1", "t.b 2", "t.b 3", "live 1"])
    }

    @Test func `knows the head of its own beginning, whoever walks beside it`() throws {
        let feed = loop.follows(topics[0], latest: 1)
        var walks: [Subscription] = []
        for last: Offset in 2...40 {
            let client = TestClient(on: loop)
            walks.append(try walking(client, Source()))
            loop.append(last...last, to: topics[0])
        }
        for subscription in walks[..<30] { loop.shard.remove(subscription) }
        walks.append(try walking(TestClient(on: loop), Source()))
        loop.append(41...41, to: topics[0])
        for (number, subscription) in walks.enumerated() where number >= 30 {
            let position = loop.shard.startPosition(of: feed, for: subscription)
            #expect(position.latest == Offset(number) + 1)
        }
    }

    @Test func `gets a topic that comes into being on the way whole, and once`() throws {
        let (client, source) = (TestClient(on: loop), Source())
        let subscription = try walking(client, source)
        loop.shard.created([topics[2]])
        let feed = loop.follows(topics[2])
        loop.append(1...2, to: topics[2])
        #expect(client.received() == ["t.c 1", "t.c 2"])
        walked(subscription, [(feed, 1)], through: nil)
        #expect(client.received() == ["live 1"])
        #expect(loop.takeReads() == [])
    }

    @Test func `is told nothing of a topic that goes before it comes by`() throws {
        let (client, source) = (TestClient(on: loop), Source())
        let subscription = try walking(client, source)
        let feeds = topics.map { loop.follows($0, latest: 1) }
        walked(subscription, [(feeds[0], 1)], through: topics[0])
        loop.shard.deleted(topics[0])
        loop.shard.deleted(topics[1])
        walked(subscription, [(feeds[2], 1)], through: nil)
        #expect(client.received() == ["reset t.a - deleted", "live 1"])
    }

    @Test func `begins behind the fork where the log went on before it came by`() throws {
        let (client, source) = (TestClient(on: loop), Source())
        let subscription = try walking(client, source)
        let feed = loop.follows(topics[0], latest: 5)
        loop.append(6...8, to: topics[0])
        loop.restart(topics[0], fork: 3)
        #expect(client.received() == [])
        #expect(loop.shard.startPosition(of: feed, for: subscription).latest == 3)
        walked(subscription, [(feed, 3)], through: nil)
        loop.append(4...4, to: topics[0], epoch: .two)
        #expect(client.received() == ["live 1", "t.a 4"])
    }

    @Test func `goes no further while enough topics replay, or the socket is blocked`() throws {
        let (client, source) = (TestClient(on: loop), Source())
        let subscription = try walking(client, source)
        let many = try (10..<50).map { try TopicName("t.m\($0)") }
        let feeds = many.map { loop.follows($0, latest: 1) }
        walked(subscription, feeds.map { ($0, 0) }, through: many[39])
        #expect(source.asked == [nil])
        for topic in many[..<8] { loop.answer(topic, after: 0, 1...1, latest: 1) }
        #expect(source.asked == [nil])
        client.block()
        loop.answer(many[8], after: 0, 1...1, latest: 1)
        #expect(source.asked == [nil])
        client.unblock()
        #expect(source.asked == [nil, many[39]])
    }

    @Test func `gets what an ephemeral topic has on the way`() throws {
        let (client, source) = (TestClient(on: loop), Source())
        _ = try walking(client, source)
        loop.follows(topics[3], latest: 4, isEphemeral: true)
        loop.append(5...5, to: topics[3])
        #expect(client.received() == ["t.d 5"])
    }

    @Test func `asks again at the tick after its topics could not be looked up`() throws {
        let (client, source) = (TestClient(on: loop), Source())
        let subscription = try walking(client, source)
        loop.shard.walkStalled(subscription)
        loop.turn()
        #expect(source.asked == [nil])
        _ = loop.shard.tick(now: loop.start + .seconds(1))
        loop.turn()
        #expect(source.asked == [nil, nil])
    }

    @Test func `keeps no feed that it has passed`() throws {
        let (client, source) = (TestClient(on: loop), Source())
        let subscription = try walking(client, source)
        loop.shard.followed(
            topics.map { TopicPosition(topic: $0, epoch: .one, earliest: 1, latest: 1) },
            isPassing: true)
        let feeds = topics.compactMap { loop.shard.feed(of: $0) }
        walked(
            subscription, feeds.map { ($0, $0.topic == topics[1] ? 0 : 1) }, through: nil)
        #expect(topics.filter { loop.shard.feed(of: $0) != nil } == [topics[1]])
        loop.answer(topics[1], after: 0, 1...1, latest: 1)
        _ = loop.shard.tick(now: loop.start + .seconds(1))
        #expect(loop.shard.feed(of: topics[1]) == nil)
        #expect(Set(loop.unfollowed) == Set(topics))
        #expect(client.received() == ["t.b 1", "live 1"])
    }

    @Test func `lets a feed go once, though two have left it`() throws {
        loop.shard.followed(
            [TopicPosition(topic: topics[0], epoch: .one, earliest: 1, latest: 1)],
            isPassing: true)
        let feed = try #require(loop.shard.feed(of: topics[0]))
        for _ in 0..<2 {
            let (client, source) = (TestClient(on: loop), Source())
            let subscription = try walking(client, source)
            walked(subscription, [(feed, 0)], through: nil)
        }
        loop.answer(topics[0], after: 0, 1...1, latest: 1)
        _ = loop.shard.tick(now: loop.start + .seconds(1))
        #expect(loop.unfollowed == [topics[0]])
    }
}
