import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import PostgresCluster
import Testing

@Suite("A log that begins another incarnation") struct IncarnationTests {
    @Test func `goes on behind the fork, and tells what is new above it`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("fork.lossy")
        let kept = try TopicName("fork.kept")
        let before = try await node.log.append(["1", "2"], to: topic).get()[0]
        let keptBefore = try await node.log.append(["1"], to: kept).get()[0]
        try await node.log.follow([topic, kept], sink: node.sink)
        await node.log.append(["3", "4"], to: topic)
        #expect(await node.sink.wait(for: 2, of: topic))
        // As after a failover that lost the newest commits: 4 is gone, and nothing marks the life
        // that it belonged to.
        let session = try Session(node.conninfo)
        try session.ask("BEGIN")
        try session.ask(
            "DELETE FROM sluice.events WHERE off = 4 AND topic_id = \(before.epoch.topicID ?? 0)")
        try session.ask("TRUNCATE sluice.marker")
        try session.ask("COMMIT")
        let after = try await node.log.append(["5"], to: topic).get()[0]
        #expect(after.first == 4)
        #expect(after.epoch != before.epoch)
        #expect(await node.sink.wait(for: 3, of: topic))
        #expect(node.sink.heard.events[topic]?.map(\.text) == ["3", "4", "5"])
        #expect(node.sink.heard.offsets(of: topic) == [3, 4, 4])
        let restarts = node.sink.heard.restarts
        #expect(restarts.first { $0.position.topic == topic }?.fork == 3)
        #expect(restarts.first { $0.position.topic == kept }?.fork == 1)
        let answers = try await node.log.resume([
            topic: Cursor(epoch: before.epoch, offset: 4),
            kept: Cursor(epoch: keptBefore.epoch, offset: 1),
        ])
        #expect(answers[topic] == .reset(fork: 3, reason: .restored))
        #expect(answers[kept] == .goesOn)
        await node.stop()
    }

    @Test(arguments: [3, 20]) func `tells what retention took before it goes on`(kept: Int)
        async throws
    {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("fork.retained")
        let before = try await node.log.append(["1"], to: topic).get()[0]
        let id = try #require(before.epoch.topicID)
        try await node.log.follow([topic], sink: node.sink)
        // As after a failover while the follower was away: it has told 1, the log keeps the newest
        // of 11, and the node learns of both at once.
        let session = try Session(node.conninfo)
        try session.ask("BEGIN")
        try session.ask(
            """
            INSERT INTO sluice.events(off, ts, cum, topic_id, payload)
            SELECT o, now(), o, \(id), 'null' FROM generate_series(2, 11) o
            """)
        try session.ask("UPDATE sluice.topics SET retain_count = \(kept) WHERE topic_id = \(id)")
        try session.ask("SELECT sluice.retain(\(id))")
        try session.ask("TRUNCATE sluice.marker")
        try session.ask("COMMIT")
        #expect(await node.sink.wait { !$0.restarts.isEmpty })
        await node.log.append(["12"], to: topic)
        let last = try await node.log.page(of: topic, after: 0).position.latest
        #expect(await node.sink.wait { $0.events[topic]?.last?.offset == last })
        let first = Offset(max(2, 12 - kept))
        #expect(node.sink.heard.restarts.map(\.fork) == [11])
        #expect(node.sink.heard.offsets(of: topic) == Array(first...last))
        #expect(node.sink.heard.untoldHoles[topic] == nil)
        await node.stop()
    }

    @Test func `looks topics up by name, because an id may be a stranger's`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("fork.mine")
        let id = try await node.log.append(["1"], to: topic).get()[0].epoch.topicID ?? 0
        try await node.log.follow([topic], sink: node.sink)
        let session = try Session(node.conninfo)
        try session.ask("BEGIN")
        try session.ask("UPDATE sluice.topics SET name = 'fork.strange' WHERE topic_id = \(id)")
        try session.ask("TRUNCATE sluice.marker")
        try session.ask("COMMIT")
        let receipt = try await node.log.append(["2"], to: topic).get()[0]
        #expect(receipt.epoch.topicID != id)
        #expect(receipt.first == 1)
        #expect(await node.sink.wait { $0.deleted == [topic] })
        #expect(await node.sink.wait { $0.created.filter { $0 == topic }.count == 2 })
        #expect(try await node.texts(of: TopicName("fork.strange")) == ["1"])
        await node.stop()
    }

    @Test func `does so when the clock is set back, and marks of before hold`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("fork.clock")
        let before = try await node.log.append(["1", "2"], to: topic).get()[0]
        let mark = try await node.log.mark()
        // A clock that falls all the while, whenever the node looks first.
        let session = try Session(node.conninfo)
        try session.ask(
            """
            CREATE OR REPLACE FUNCTION sluice.clock(expected text) RETURNS timestamptz
            LANGUAGE sql AS 'SELECT clock_timestamp() - 100 * (clock_timestamp() - date ''today'')'
            """)
        try await eventually("another incarnation") {
            try await node.log.mark().incarnation != mark.incarnation
        }
        let after = try await node.log.append(["3"], to: topic).get()[0]
        #expect(after.epoch != before.epoch)
        let resumption = try await node.log.resume([topic: Cursor(epoch: before.epoch, offset: 2)])
        #expect(resumption == [topic: .goesOn])
        try session.ask(
            "UPDATE sluice.events SET ts = ts - interval '1 hour' WHERE off = 3")
        #expect(try await node.log.offsets(of: [topic], asOf: mark) == [topic: 3])
        await node.stop()
    }

    @Test func `is not joined on a server that does not know what was seen`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("fork.stale")
        await node.log.append(["1"], to: topic)
        let session = try Session(node.conninfo)
        try session.ask("BEGIN")
        try session.ask("DELETE FROM sluice.incarnations")
        try session.ask("TRUNCATE sluice.marker")
        try session.ask("COMMIT")
        #expect(await node.log.append(["2"], to: topic).brief == ["database_unavailable"])
        try await eventually("not ready") { !node.log.isReady }
        await node.stop()
    }
}

/// A server whose commits can be made to hang: it waits for a standby that does not exist.
@Suite("A commit that hangs") struct HangingCommitTests {
    @Test func `is answered outcome_unknown, and settled before anything else`() async throws {
        let cluster = PostgresCluster(
            extraSettings: ["wal_level": "replica", "max_wal_senders": "2"])
        defer { cluster.stop() }
        var limits = Limits()
        limits.outcomeTimeout = .milliseconds(400)
        let node = try await LogNode(cluster.freshDatabase(), limits: limits)
        let topic = try TopicName("hang")
        await node.log.append(["1"], to: topic)
        try await node.log.follow([topic], sink: node.sink)
        let session = try Session(node.conninfo)
        try session.ask("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        try session.ask("SELECT pg_reload_conf()")
        try await eventually("waiting for the standby") {
            await node.log.append(["17"], to: topic).error?.code == .outcomeUnknown
        }
        let refused = await node.log.append(["18"], to: topic)
        #expect(refused.brief == ["database_unavailable"])
        #expect(refused.error?.committed == .no)
        #expect(!node.log.isReady)
        try session.ask("ALTER SYSTEM RESET synchronous_standby_names")
        try session.ask("SELECT pg_reload_conf()")
        try await eventually("ready") { node.log.isReady }
        #expect(try await node.log.append(["19"], to: topic).get()[0].isRepeat == false)
        let texts = try await node.texts(of: topic)
        #expect(!texts.contains("18"))
        #expect(texts.last == "19")
        #expect(await node.sink.wait(for: texts.count - 1, of: topic))
        #expect(node.sink.heard.events[topic]?.map(\.text) == Array(texts.dropFirst()))
        await node.stop()
    }
}
