internal import EventModel
internal import FanOut
internal import Testing

@Suite("A topic without a log") struct EphemeralTests {
    let loop = TestLoop(backlogBytesMax: 600, pageBytesMax: 600)
    let ticks: TopicName
    let orders: TopicName

    init() throws {
        ticks = try TopicName("ticks")
        orders = try TopicName("orders")
    }

    private func client(at cursor: Offset = 0, latest: Offset = 0) throws -> TestClient {
        let client = TestClient(on: loop)
        let feed = loop.follows(ticks, latest: latest, isEphemeral: true)
        _ = try loop.subscribed(client, patterns: ["ticks"], at: [(feed, cursor)])
        return client
    }

    private func blockedClient() throws -> TestClient {
        let client = try client()
        #expect(client.received() == ["live 1"])
        client.block()
        return client
    }

    @Test func `is delivered live, and kept nowhere`() throws {
        let client = try client(at: 5, latest: 5)
        loop.append(6...7, to: ticks)
        #expect(client.received() == ["live 1", "ticks 6", "ticks 7"])
        #expect(loop.shard.feed(of: ticks)?.position.earliest == 8)
    }

    @Test func `tells who comes back what it missed, and goes on live`() throws {
        let client = try client(at: 3, latest: 5)
        loop.append(6...6, to: ticks)
        #expect(client.received() == ["gap ticks 4-5 ephemeral", "live 1", "ticks 6"])
        #expect(loop.takeReads() == [])
    }

    @Test func `tells what was lost on the way before what comes behind it`() throws {
        let client = try client()
        loop.append(1...1, to: ticks)
        loop.shard.purged(ticks, earliest: 4)
        loop.append(4...4, to: ticks)
        #expect(client.received() == ["live 1", "ticks 1", "gap ticks 2-3 ephemeral", "ticks 4"])
        #expect(loop.takeReads() == [])
    }

    @Test func `drops the oldest for who reads too slowly, tells it, and never lags`() throws {
        let client = try blockedClient()
        loop.append(1...6, to: ticks)
        loop.append(7...8, to: ticks)
        client.unblock()
        #expect(
            client.received()
                == ["ticks 1", "ticks 2", "gap ticks 3-6 overflow", "ticks 7", "ticks 8"])
        loop.append(9...9, to: ticks)
        #expect(client.received() == ["ticks 9"])
    }

    @Test func `tells what was dropped again and again as one gap`() throws {
        let client = try blockedClient()
        loop.append(1...40, to: ticks)
        client.unblock()
        let received = client.received()
        #expect(received.filter { $0.hasPrefix("gap") }.count == 1)
        #expect(received.prefix(2) == ["ticks 1", "ticks 2"])
        let kept = received.dropFirst(3)
        #expect(kept.last == "ticks 40")
        #expect(received[2] == "gap ticks 3-\(40 - kept.count) overflow")
    }

    @Test func `finishes a message that has begun before what was dropped is told`() throws {
        let client = try blockedClient()
        loop.append(1...6, to: ticks)
        client.unblock(bytes: 50)
        loop.append(7...8, to: ticks)
        client.unblock()
        let received = client.received()
        #expect(received.prefix(2) == ["ticks 1", "ticks 2"])
        #expect(received[2].hasPrefix("gap ticks 3-"))
        #expect(received.last == "ticks 8")
    }

    @Test func `gives an event that is larger than the budget, alone`() throws {
        let client = try blockedClient()
        loop.append(1...2, to: ticks)
        loop.append(3...3, to: ticks, bytes: 2000)
        client.unblock()
        #expect(client.received() == ["ticks 1", "ticks 2", "ticks 3"])
        loop.append(4...4, to: ticks, bytes: 2000)
        #expect(client.received() == ["ticks 4"])
    }

    @Test func `does not let the gaps of many topics fill the budget`() throws {
        let client = TestClient(on: loop)
        let topics = try (1...60).map { try TopicName("t\($0)") }
        let feeds = topics.map { (loop.follows($0, isEphemeral: true), Offset(0)) }
        _ = try loop.subscribed(client, patterns: ["*"], at: feeds)
        client.block()
        for round: Offset in 1...3 {
            for topic in topics { loop.append(round...round, to: topic, bytes: 20) }
        }
        let bytes = client.subscriber.backlog.byteCount
        #expect(bytes <= 600)
        client.unblock()
        var ends: [String: Offset] = [:]
        for line in client.received() where !line.hasPrefix("live") {
            let words = line.split(separator: " ").map(String.init)
            let topic = words[0] == "gap" ? words[1] : words[0]
            let span = (words[0] == "gap" ? words[2] : words[1]).split(separator: "-")
                .compactMap { Offset($0) }
            #expect(span[0] == ends[topic, default: 0] + 1)
            ends[topic] = span[span.count - 1]
        }
        #expect(ends.values.allSatisfy { $0 == 3 })
        #expect(ends.count == topics.count)
    }

    @Test func `loses nothing of the durable topics of the same subscription`() throws {
        let client = TestClient(on: loop)
        let feeds = [loop.follows(orders), loop.follows(ticks, isEphemeral: true)]
        _ = try loop.subscribed(client, patterns: ["*"], at: feeds.map { ($0, 0) })
        client.block()
        loop.append(1...3, to: orders)
        loop.append(1...9, to: ticks)
        client.unblock()
        let received = client.received()
        #expect(received.filter { $0.hasPrefix("orders") } == (1...3).map { "orders \($0)" })
        #expect(received.filter { $0.hasPrefix("l") } == ["live 1", "lagging 1 3", "live 1"])
        #expect(received.contains("ticks 9"))
    }

    @Test func `begins with a gap where a pattern finds it late`() throws {
        let client = TestClient(on: loop)
        _ = try loop.subscribed(client, patterns: ["*"], at: [])
        loop.shard.created([ticks])
        loop.follows(ticks, latest: 2, isEphemeral: true)
        loop.append(3...3, to: ticks)
        #expect(client.received() == ["live 1", "gap ticks 1-2 ephemeral", "ticks 3"])
    }

    @Test func `tells another incarnation also to who has got nothing yet`() throws {
        let client = try client()
        loop.restart(ticks, fork: 0)
        loop.restart(ticks, fork: 0, epoch: .three)
        loop.append(1...1, to: ticks, epoch: .three)
        #expect(
            client.received() == [
                "live 1", "reset ticks bbbbbbbbbb1-0 restored",
                "reset ticks cccccccccc1-0 restored", "ticks 1",
            ])
    }

    @Test func `begins anew in another incarnation, which is told`() throws {
        let client = try client()
        loop.append(1...2, to: ticks)
        loop.restart(ticks, fork: 0, latest: 4)
        loop.shard.purged(ticks, earliest: 5)
        loop.append(5...5, to: ticks, epoch: .two)
        #expect(
            client.received() == [
                "live 1", "ticks 1", "ticks 2", "reset ticks bbbbbbbbbb1-0 restored",
                "gap ticks 1-4 ephemeral bbbbbbbbbb1", "ticks 5",
            ])
    }
}
