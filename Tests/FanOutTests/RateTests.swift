internal import EventModel
@testable internal import FanOut
internal import Testing

@Suite("A subscription with a rate") struct RateTests {
    let loop = TestLoop(backlogBytesMax: 10_000, pageBytesMax: 10_000)
    let client: TestClient
    let ticks: TopicName

    init() throws {
        ticks = try TopicName("ticks")
        client = TestClient(on: loop)
    }

    private func subscribed(
        _ rate: Int?, at cursor: Offset = 0, latest: Offset = 0
    ) throws -> Subscription {
        try loop.subscribed(
            client, patterns: ["ticks"], at: [(loop.follows(ticks, latest: latest), cursor)],
            options: SubscriptionOptions(maxRate: rate))
    }

    private func changeRate(_ subscription: Subscription, _ rate: Int?) {
        client.subscriber.changeRate(of: subscription, to: rate)
        loop.turn()
    }

    @Test func `gets an event at once while the topic is slower`() throws {
        let subscription = try subscribed(2)
        for offset in Offset(1)...3 {
            loop.append(offset...offset, to: ticks)
            loop.pass(.milliseconds(600))
        }
        #expect(client.received() == ["live 1", "ticks 1", "ticks 2", "ticks 3"])
        #expect(subscription.readers.isEmpty)
    }

    @Test func `gets the newest of each key when its turn comes, and is told of the rest`() throws {
        _ = try subscribed(2)
        loop.append(["a", "a", "b", "a"], from: 1, to: ticks)
        #expect(client.received() == ["live 1", "gap ticks 1-2 conflated", "ticks 3"])
        loop.append(["a"], from: 5, to: ticks)
        loop.pass(.milliseconds(499))
        #expect(client.received() == [])
        loop.pass(.milliseconds(10))
        #expect(client.received() == ["ticks 4"])
        loop.pass(.seconds(1))
        #expect(client.received() == ["ticks 5"])
    }

    @Test func `gives every key its turn, however often one changes`() throws {
        _ = try subscribed(10)
        var offset: Offset = 1
        for _ in 1...50 {
            loop.append(["a", "b", "c"], from: offset, to: ticks)
            offset += 3
            loop.pass(.milliseconds(20))
        }
        let events = client.received().filter { $0.hasPrefix("ticks") }
            .compactMap { Offset($0.dropFirst(6)) }
        #expect(Set(events.map { $0 % 3 }).count == 3)
        #expect((8...12).contains(events.count))
    }

    @Test func `replays a start in the past as it is`() throws {
        _ = try subscribed(1, latest: 5)
        loop.answer(ticks, after: 0, 1...5, latest: 5)
        #expect(client.received() == (1...5).map { "ticks \($0)" } + ["live 1"])
    }

    @Test func `is held back by its socket, and neither lags nor loses the newest`() throws {
        _ = try subscribed(1000)
        _ = client.received()
        client.block()
        for offset in Offset(1)...500 { loop.append(["a"], from: offset, to: ticks) }
        loop.pass(.seconds(1))
        client.unblock()
        loop.pass(.seconds(1))
        let received = client.received()
        #expect(received.last == "ticks 500")
        #expect(!received.contains { $0.hasPrefix("lagging") })
    }

    @Test func `takes another rate, or none, while events wait`() throws {
        let subscription = try subscribed(1)
        loop.append(["a", "b", "c", "d"], from: 1, to: ticks)
        changeRate(subscription, 2)
        #expect(client.received() == ["live 1", "ticks 1"])
        loop.pass(.milliseconds(1001))
        #expect(client.received() == ["ticks 2"])
        changeRate(subscription, nil)
        #expect(client.received() == ["ticks 3", "ticks 4"])
        loop.append(["a", "a"], from: 5, to: ticks)
        #expect(client.received() == ["ticks 5", "ticks 6"])
    }

    @Test(arguments: [1, 3, 10, 500, 5000])
    func `never gets more in a second`(rate: Int) throws {
        _ = try subscribed(rate)
        _ = client.received()
        var times: [ContinuousClock.Instant] = []
        for offset in Offset(1)...2000 {
            loop.append(["\(offset)"], from: offset, to: ticks, bytes: 20)
            loop.pass(.milliseconds(1))
            let count = client.received().count { $0.hasPrefix("ticks") }
            times += Array(repeating: loop.now, count: count)
        }
        for (index, time) in times.enumerated() where index >= rate {
            #expect(time - times[index - rate] >= .milliseconds(988))
        }
        #expect(times.count >= min(2000, rate))
    }
}
