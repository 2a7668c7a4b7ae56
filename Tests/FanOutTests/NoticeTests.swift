internal import EventModel
internal import FanOut
internal import Testing

@Suite("Notices to a session whose socket is blocked") struct NoticeTests {
    private static let budget = 300
    let loop = TestLoop(
        backlogBytesMax: budget, pageBytesMax: 200, recentEventsBytesMax: 100_000)
    let topics: [TopicName]

    init() throws { topics = try (10..<40).map { try TopicName("t.\($0)") } }

    /// A client that follows all topics at their heads, in one subscription or each in one.
    private func client(subscriptions: Int = 1) throws -> TestClient {
        let client = TestClient(on: loop)
        let starts = topics.map { (loop.follows($0, latest: 5), Offset(5)) }
        if subscriptions == 1 {
            _ = try loop.subscribed(client, patterns: ["t.*"], at: starts)
        } else {
            for (id, start) in starts.enumerated() {
                _ = try loop.subscribed(
                    client, id: Int64(id), patterns: [start.0.topic.text], at: [start])
            }
        }
        _ = client.received()
        client.block()
        return client
    }

    @Test func `of resets stay in the budget, and each comes before its topic goes on`() throws {
        let client = try client()
        for topic in topics { loop.restart(topic, fork: 3) }
        #expect(client.subscriber.backlog.byteCount <= Self.budget)
        for topic in topics { loop.append(4...4, to: topic, bytes: 20, epoch: .two) }
        // One event always fits.
        #expect(client.subscriber.backlog.byteCount <= Self.budget + 20)
        client.unblock()
        let received = client.received()
        for topic in topics {
            #expect(
                received.filter { $0.contains(topic.text) } == [
                    "reset \(topic) bbbbbbbbbb1-3 restored", "\(topic) 4",
                ])
        }
        #expect(received.last == "live 1")
        #expect(!client.subscriber.isReplaying)
    }

    @Test func `tell of several restarts the last, and where the client stood in it`() throws {
        let client = try client()
        for topic in topics { loop.restart(topic, fork: 3) }
        for topic in topics { loop.restart(topic, fork: 2, epoch: .three) }
        client.unblock()
        let last = try #require(topics.last)
        #expect(
            client.received().filter { $0.contains(last.text) }
                == ["reset \(last) cccccccccc1-2 restored"])
    }

    @Test func `of topics that end stay in the budget, and each is told once`() throws {
        let client = try client()
        for topic in topics { loop.shard.deleted(topic) }
        #expect(client.subscriber.backlog.byteCount <= Self.budget)
        client.unblock()
        #expect(client.received() == topics.map { "reset \($0) - deleted" })
        #expect(!client.subscriber.isReplaying)
    }

    @Test func `of the end of a topic give way to that of its next life`() throws {
        let client = try client()
        for topic in topics { loop.shard.deleted(topic) }
        let last = try #require(topics.last)
        for _ in 0..<1000 {
            loop.shard.created([last])
            loop.follows(last, epoch: .recreated)
            loop.append(1...1, to: last, bytes: 20, epoch: .recreated)
            loop.shard.deleted(last)
        }
        #expect(client.subscriber.backlog.byteCount <= Self.budget)
        loop.shard.created([last])
        loop.follows(last, epoch: .recreated)
        loop.append(1...1, to: last, bytes: 20, epoch: .recreated)
        client.unblock()
        let received = client.received()
        #expect(
            received.filter { $0.contains(last.text) }
                == ["reset \(last) aaaaaaaaaa2-0 recreated", "\(last) 1"])
        #expect(received.filter { $0.hasSuffix("deleted") }.count == topics.count - 1)
    }

    @Test func `of an end that was told are not told again, nor the life in between`() throws {
        let client = try client()
        client.unblock()
        let topic = topics[0]
        loop.shard.deleted(topic)
        loop.turn()
        #expect(client.received() == ["reset \(topic) - deleted"])
        client.block()
        // Nothing more fits.
        for topic in topics[1...] { loop.restart(topic, fork: 3) }
        loop.shard.created([topic])
        loop.follows(topic, epoch: .recreated)
        loop.shard.deleted(topic)
        client.unblock()
        #expect(client.received().filter { $0.contains(topic.text) } == [])
    }

    @Test func `tell nothing of a topic that came and went unheard`() throws {
        let client = TestClient(on: loop)
        _ = try loop.subscribed(client, patterns: ["new.*"], at: [])
        _ = client.received()
        client.block()
        for number in 0..<1000 {
            let topic = try TopicName("new.\(number)")
            loop.shard.created([topic])
            loop.follows(topic)
            loop.append(1...1, to: topic)
            loop.shard.deleted(topic)
        }
        client.unblock()
        #expect(client.received() == [])
    }

    @Test func `tell of the end of a new topic that fell back to its beginning`() throws {
        let client = TestClient(on: loop)
        _ = try loop.subscribed(client, patterns: ["new"], at: [])
        _ = client.received()
        let topic = try TopicName("new")
        loop.shard.created([topic])
        loop.follows(topic)
        loop.append(1...1, to: topic)
        loop.restart(topic, fork: 0)
        loop.shard.deleted(topic)
        loop.turn()
        #expect(
            client.received()
                == ["new 1", "reset new bbbbbbbbbb1-0 restored", "reset new - deleted"])
    }

    @Test func `of resets at the start are told as the socket takes them`() throws {
        let client = TestClient(on: loop)
        client.block()
        let subscription = try loop.registered(client, patterns: ["t.*"])
        let starts = topics.map { topic in
            ReaderStart(
                feed: loop.follows(topic, latest: 5, epoch: .two), cursor: 5, reset: .restored)
        }
        let gone = try (0..<30).map { try TopicName("t.gone\($0)") }
        loop.shard.join(subscription, starts, gone: gone)
        loop.turn()
        #expect(client.subscriber.backlog.byteCount <= Self.budget)
        client.unblock()
        let received = client.received()
        #expect(
            Set(received.dropLast())
                == Set(
                    topics.map { "reset \($0) bbbbbbbbbb1-5 restored" }
                        + gone.map { "reset \($0) - deleted" }))
        #expect(received.count == 61)
        #expect(received.last == "live 1")
    }

    @Test func `say of many subscriptions only what still holds`() throws {
        let client = try client(subscriptions: topics.count)
        for topic in topics { loop.shard.purged(topic, earliest: 9) }
        loop.turn()
        #expect(client.subscriber.backlog.byteCount <= Self.budget)
        for topic in topics { loop.restart(topic, fork: 5) }
        client.unblock()
        let received = client.received()
        for id in topics.indices {
            let own = received.filter { $0.split(separator: " ")[1] == "\(id)" }
            #expect(own == ["lagging \(id) 3", "live \(id)"] || own == [])
        }
        #expect(!client.subscriber.isReplaying)
    }
}
