internal import EventModel
internal import FanOut
internal import Testing

@Suite("A turn in which a loop's subscribers are flushed") struct FlushTurnTests {
    /// Flushes take their time, and are kept in order.
    private final class Turn {
        var now: ContinuousClock.Instant
        var flushed: [String] = []

        init(now: ContinuousClock.Instant) { self.now = now }

        func take() -> [String] {
            defer { flushed = [] }
            return flushed
        }
    }

    /// A connection that takes a millisecond to flush, and nothing from its backlog.
    private final class SlowOutput: SubscriberOutput {
        private(set) lazy var subscriber = Subscriber(
            output: self, shard: loop.shard, limits: loop.limits,
            encoding: TestFrame.encoding)
        private let name: String
        private let turn: Turn
        private let loop: TestLoop

        init(_ name: String, _ turn: Turn, on loop: TestLoop) {
            self.name = name
            self.turn = turn
            self.loop = loop
        }

        func flush() {
            turn.now += .microseconds(500)
            turn.flushed.append(name)
        }
    }

    private let loop = TestLoop(recentEventsBytesMax: 0)
    private let turn: Turn
    private let orders: TopicName

    init() throws {
        turn = Turn(now: loop.start)
        orders = try TopicName("orders")
    }

    private func join(_ name: String, at cursor: Offset) throws -> SlowOutput {
        let output = SlowOutput(name, turn, on: loop)
        let subscription = Subscription(
            id: 1, patterns: [TopicPattern(orders)], subscriber: output.subscriber)
        loop.shard.register(subscription)
        let feed = loop.shard.feed(of: orders) ?? loop.follows(orders, latest: 9)
        loop.shard.join(subscription, [ReaderStart(feed: feed, cursor: cursor)])
        return output
    }

    private func flush() -> [String] {
        loop.flush { turn.now }
        return turn.take()
    }

    @Test func `is over after a millisecond, and goes on when the sockets had theirs`() throws {
        let outputs = try ["a", "b", "c", "d", "e"].map { try join($0, at: 0) }
        #expect(loop.flushesScheduled == 1)
        #expect(flush() == ["a", "b"])
        #expect(loop.flushesScheduled == 0 && loop.flushesPutOff == 1)
        #expect(flush() == ["c", "d"])
        // Whoever has more comes behind those who have not had their turn.
        loop.shard.flushNextTurn(outputs[0].subscriber)
        #expect(flush() == ["e", "a"])
        #expect(loop.flushesScheduled + loop.flushesPutOff == 0)
    }

    @Test func `begins with those who are live`() throws {
        let outputs = try (0..<100).map { try join("replaying", at: Offset($0 % 9)) }
        _ = flush()
        let live = try ["a", "b"].map { try join($0, at: 9) }
        #expect(flush() == ["a", "b", "replaying"])
        loop.shard.appended(loop.events(10...10), to: orders, epoch: .one)
        #expect(flush() == ["a", "b", "replaying"])
        #expect(outputs.count + live.count == 102)
    }

    @Test func `is shared by all of many who are live, in turn, and by one who replays`() throws {
        let names = (0..<50).map { "\($0)" }
        let live = try names.map { try join($0, at: 9) }
        let replaying = try ["x", "y"].map { try join($0, at: 0) }
        var flushed: [String] = []
        flushed += flush()
        #expect(flushed.count < 20)
        while loop.flushesPutOff > 0 { flushed += flush() }
        #expect(flushed.filter { Int($0) != nil } == names)
        #expect(flushed.filter { Int($0) == nil } == ["x", "y"])
        #expect(live.count + replaying.count == 52)
    }

    @Test func `begins with those for whom little waits`() throws {
        let loop = TestLoop(backlogBytesMax: 1 << 20)
        let feed = loop.follows(orders, latest: 9)
        let outputs = ["much", "little"].map { SlowOutput($0, turn, on: loop) }
        for output in outputs {
            let subscription = Subscription(
                id: 1, patterns: [TopicPattern(orders)], subscriber: output.subscriber)
            loop.shard.register(subscription)
            loop.shard.join(subscription, [ReaderStart(feed: feed, cursor: 9)])
        }
        outputs[0].subscriber.sendControl([UInt8](repeating: 0, count: 65_536))
        loop.flush { turn.now }
        #expect(turn.take() == ["little", "much"])
    }

    @Test func `does not ask for another while one is asked for`() throws {
        let output = try join("a", at: 9)
        _ = flush()
        loop.shard.flushNextTurn(output.subscriber)
        #expect(loop.flushesPutOff == 1)
        let other = try join("b", at: 9)
        #expect(loop.flushesPutOff == 1 && loop.flushesScheduled == 0)
        #expect(flush() == ["a", "b"])
        #expect(other.subscriber.backlog.byteCount > 0)
    }
}
