import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import PostgresCluster
import Testing

@Suite("A log whose connections break") struct LostConnectionTests {
    @Test func `still delivers when the listener was terminated`() async throws {
        let one = try await LogNode.withFreshDatabase()
        let two = try await LogNode(one.conninfo, name: "other")
        let topic = try TopicName("lost.notify")
        await one.log.append(["1"], to: topic)
        try await two.log.follow([topic], sink: two.sink)
        #expect(try Session(one.conninfo).terminate("other follower") == 1)
        await one.log.append(["2"], to: topic)
        await one.log.append(["3"], to: topic)
        #expect(await two.sink.wait(for: 2, of: topic))
        #expect(two.sink.heard.offsets(of: topic) == [2, 3])
        await one.stop()
        await two.stop()
    }

    @Test func `loses and doubles nothing when the append connection is terminated under load`()
        async throws
    {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("lost.append")
        await node.log.append(["0"], to: topic)
        try await node.log.follow([topic], sink: node.sink)
        let publishers = (1...4).map { Publisher("p\($0)", to: topic, of: node) }
        let session = try Session(node.conninfo)
        var count = 0
        for _ in 1...5 {
            count += 50
            let wanted = count
            try await eventually("published") {
                publishers.reduce(0) { $0 + $1.acknowledgedCount } >= wanted
            }
            #expect(try session.terminate("node append") == 1)
            try await eventually("up again") { node.log.isReady }
            count = publishers.reduce(0) { $0 + $1.acknowledgedCount }
        }
        try await LoadChecks.check(node, topic, publishers, mayBeUnknown: false)
        await node.stop()
    }

    @Test func `answers reads on a new connection`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("lost.reads")
        await node.log.append(["1"], to: topic)
        _ = try await node.log.page(of: topic, after: 0)
        #expect(try Session(node.conninfo).terminate("node reader") >= 1)
        #expect(try await node.log.page(of: topic, after: 0).events.count == 1)
        await node.stop()
    }

    @Test func `does not know what became of a change when it was lost at the commit`()
        async throws
    {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("lost.commit")
        await node.log.append(["1"], to: topic)
        let session = try Session(node.conninfo)
        try session.ask(
            """
            CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
              'BEGIN PERFORM pg_catalog.pg_sleep(60); RETURN NULL; END'
            """)
        try session.ask(
            """
            CREATE CONSTRAINT TRIGGER linger AFTER UPDATE ON sluice.topics
              DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger()
            """)
        async let deletion = node.log.delete(topic, ifRevision: nil)
        try await eventually("at the commit") {
            try session.ask(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'node reader' AND wait_event = 'PgSleep'
                  AND datname = current_database()
                """
            ).rowCount == 1
        }
        do {
            _ = try await deletion
            Issue.record("a lost commit was taken for one that succeeded")
        } catch let error as BrokerError {
            #expect(error.code == .outcomeUnknown)
        }
        // It says to read the topic, which another connection does.
        try session.ask("DROP TRIGGER linger ON sluice.topics")
        #expect(try await node.log.describe(topic)?.position.latest == 1)
        _ = try await node.log.delete(topic, ifRevision: nil)
        await node.stop()
    }

    @Test func `answers 503 for a locked topic only`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let locked = try TopicName("lost.locked")
        let free = try TopicName("lost.free")
        let id = try #require(
            try await node.log.append(["1"], to: locked).get()[0].epoch.topicID)
        await node.log.append(["1"], to: free)
        let session = try Session(node.conninfo)
        try session.ask("BEGIN")
        try session.ask("SELECT pg_advisory_xact_lock(4740, \(id))")
        async let refused = node.log.append(["2"], to: locked)
        async let appended = node.log.append(["2"], to: free)
        #expect(await refused.brief == ["database_unavailable"])
        #expect(await refused.error?.committed == .no)
        #expect(await appended.brief == ["2-2"])
        // From now on nobody waits for it.
        let clock = ContinuousClock()
        let time = await clock.measure {
            #expect(await node.log.append(["3"], to: locked).brief == ["database_unavailable"])
        }
        #expect(time < .milliseconds(900))
        try session.ask("ROLLBACK")
        #expect(await node.log.append(["2"], to: locked).brief == ["2-2"])
        await node.stop()
    }

    @Test func `fails only the request that PostgreSQL refuses`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("lost.bad")
        await node.log.append(["0"], to: topic)
        let session = try Session(node.conninfo)
        let id = try #require(try await node.log.describe(topic)?.position.epoch.topicID)
        // The lock keeps the requests together in one batch.
        try session.ask("BEGIN")
        try session.ask("SELECT pg_advisory_xact_lock(4740, \(id))")
        async let blocker = node.log.append(["1"], to: topic)
        try await eventually("waiting") {
            try Session(node.conninfo).ask(
                "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
            ).rowCount > 0
        }
        let texts = ["\"a\"", "\"b\"", "{not json", "\"c\""]
        let results = await withTaskGroup(of: (String, [String]).self) { group in
            for text in texts {
                group.addTask { (text, await node.log.append([text], to: topic).brief) }
            }
            _ = try? session.ask("ROLLBACK")
            return await group.reduce(into: [String: [String]]()) { $0[$1.0] = $1.1 }
        }
        #expect(await blocker.brief == ["2-2"])
        #expect(results["{not json"] == ["invalid_json"])
        #expect(try await node.texts(of: topic).sorted() == ["\"a\"", "\"b\"", "\"c\"", "0", "1"])
        await node.stop()
    }

    @Test func `refuses new appends while it drains, and finishes those in flight`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("lost.drain")
        await node.log.append(["0"], to: topic)
        let results = await withTaskGroup(of: [String].self) { group in
            for number in 1...50 {
                group.addTask { await node.log.append(["\(number)"], to: topic).brief }
            }
            await node.stop()
            return await group.reduce(into: []) { $0.append($1) }
        }
        let appended = results.filter { $0 != ["draining"] }
        #expect(appended.allSatisfy { $0[0].contains("-") })
        #expect(await node.log.append(["x"], to: topic).brief == ["draining"])
        let other = try await LogNode(node.conninfo)
        #expect(try await other.texts(of: topic).count == appended.count + 1)
        await other.stop()
    }
}

enum LoadChecks {
    /// Acknowledged events are in the log at their offsets, nothing is there twice, and the sink
    /// got all of it in order.
    static func check(
        _ node: LogNode, _ topic: TopicName, _ publishers: [Publisher], mayBeUnknown: Bool
    ) async throws {
        var reports: [Publisher.Report] = []
        for publisher in publishers { reports.append(await publisher.stop()) }
        let texts = try await node.texts(of: topic)
        #expect(Set(texts).count == texts.count, "an event is in the log twice")
        for report in reports {
            for (text, offset) in report.acknowledged {
                try #require(Int(offset) <= texts.count, "\(text) was acknowledged at \(offset)")
                #expect(texts[Int(offset) - 1] == text)
            }
            #expect(report.refused.isDisjoint(with: texts), "'committed: no' was not true")
            #expect(mayBeUnknown || report.unknown.isEmpty)
        }
        #expect(await node.sink.wait(for: texts.count - 1, of: topic))
        #expect(node.sink.heard.events[topic]?.map(\.text) == Array(texts.dropFirst()))
    }
}
