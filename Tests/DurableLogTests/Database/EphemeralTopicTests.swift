import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import PostgresCluster
import Testing

@Suite("Ephemeral topics on PostgreSQL") struct EphemeralTopicTests {
    @Test func `reach every node, the publisher's too, dense and in order`() async throws {
        let one = try await LogNode.withFreshDatabase()
        let two = try await LogNode(one.conninfo, name: "other")
        let topic = try await one.ephemeral("fast.all")
        let nodes = [one, two]
        for node in nodes { try await node.log.follow([topic], sink: node.sink) }
        let perNode = 100
        await withTaskGroup(of: Void.self) { group in
            for (index, node) in nodes.enumerated() {
                group.addTask {
                    for number in 0..<perNode {
                        let text = "\(index * 1000 + number)"
                        #expect(await node.log.append([text, text], to: topic).error == nil)
                    }
                }
            }
        }
        for node in nodes {
            #expect(await node.sink.wait(for: 4 * perNode, of: topic))
            let heard = node.sink.heard
            #expect(heard.offsets(of: topic) == Array(1...Offset(4 * perNode)))
            for index in nodes.indices {
                let own = heard.events[topic]?.compactMap { Int($0.text) }
                    .filter { $0 / 1000 == index }
                #expect(own == (0..<perNode).flatMap { [index * 1000 + $0, index * 1000 + $0] })
            }
        }
        #expect(two.sink.heard.purged[topic] == nil)
        let session = try Session(one.conninfo)
        let rows = try session.ask("SELECT count(*) FROM sluice.events").int8(0, 0)
        #expect(rows == 0)
        await one.stop()
        await two.stop()
    }

    @Test func `carry events that are larger than a notification`() async throws {
        let one = try await LogNode.withFreshDatabase()
        let two = try await LogNode(one.conninfo, name: "other")
        let topic = try await one.ephemeral("fast.large")
        for node in [one, two] { try await node.log.follow([topic], sink: node.sink) }
        // Around the bound, whose bytes the frame shares, and far beyond.
        let texts = [7000, 7840, 7850, 7860, 7900, 8000, 100_000, 1_000_000].map {
            "\"" + String(repeating: "é", count: $0 / 2) + "\""
        }
        for (number, text) in texts.enumerated() {
            #expect(await one.log.append([text, "\(number)"], to: topic).error == nil)
        }
        for node in [one, two] {
            #expect(await node.sink.wait(for: 2 * texts.count, of: topic))
            let events = node.sink.heard.events[topic] ?? []
            #expect(events.map(\.offset) == Array(1...Offset(2 * texts.count)))
            #expect(
                events.map(\.text) == texts.enumerated().flatMap { [$0.element, "\($0.offset)"] })
        }
        await one.stop()
        await two.stop()
    }

    @Test func `take what SQL publishers publish, among durable ones`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try await node.ephemeral("fast.sql")
        let durable = try TopicName("slow.sql")
        await node.log.append(["0"], to: durable)
        try await node.log.follow([topic, durable], sink: node.sink)
        try Session(node.conninfo).ask(
            """
            SELECT sluice.publish('fast.sql', '{"n": 1}'::json, key => 'k', event_id => 'a'),
              sluice.publish('slow.sql', '1'), sluice.publish('fast.sql', '2', event_id => 'a'),
              sluice.publish('fast.sql', to_json(repeat('x', 9000))), sluice.publish('slow.sql', '2')
            """)
        #expect(await node.sink.wait(for: 3, of: topic))
        #expect(await node.sink.wait(for: 2, of: durable))
        let events = node.sink.heard.events[topic] ?? []
        #expect(events.map(\.offset) == [1, 2, 3])
        #expect(events.map(\.text.count) == [8, 1, 9002])
        #expect(events[0].content.key == "k")
        #expect(events.map(\.content.eventID) == ["a", "a", nil])
        #expect(node.sink.heard.events[durable]?.map(\.text) == ["1", "2"])
        await node.stop()
    }

    @Test func `tell as lost what can no longer be read`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try await node.ephemeral("fast.faded")
        try await node.log.follow([topic], sink: node.sink)
        await node.log.append(["1"], to: topic)
        #expect(await node.sink.wait(for: 1, of: topic))
        let id = try #require(node.sink.heard.epochs[topic]?.topicID)
        let incarnation = try #require(node.sink.heard.epochs[topic]?.incarnation)
        let session = try Session(node.conninfo)
        try session.ask("BEGIN")
        try session.ask(
            """
            SELECT sluice.emit('\(incarnation)', '{\(id)}', '{1,1}', '{1,2}',
              ARRAY[to_json(repeat('x', 9000)), '3'])
            """)
        try session.ask("DELETE FROM sluice.ephemera WHERE off = 2")
        try session.ask("COMMIT")
        #expect(await node.sink.wait(for: 2, of: topic))
        #expect(node.sink.heard.offsets(of: topic) == [1, 3])
        #expect(node.sink.heard.purged[topic] == 3)
        #expect(node.sink.heard.untoldHoles.isEmpty)
        await node.stop()
    }

    @Test func `do not believe a gap that somebody makes up`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try await node.ephemeral("fast.forged")
        try await node.log.follow([topic], sink: node.sink)
        await node.log.append(["1"], to: topic)
        #expect(await node.sink.wait(for: 1, of: topic))
        let epoch = try #require(node.sink.heard.epochs[topic])
        let id = try #require(epoch.topicID)
        let session = try Session(node.conninfo)
        for payload in [
            "\(epoch.incarnation) \(id) 900", "\(epoch.incarnation) \(id) 901 {}", "x", "",
            #"\#(epoch.incarnation) \#(id) 902 {"time":"2026-01-01T00:00:00Z","data":1}"#,
            "zzzzzzzzzz \(id) 2", "\(epoch.incarnation) 99999 2",
        ] {
            try session.ask("NOTIFY sluice_ephemeral, '\(payload)'")
        }
        try session.ask("NOTIFY sluice_announce, '\(epoch.incarnation) 5 1 \(id):800'")
        await node.log.append(["2"], to: topic)
        #expect(await node.sink.wait(for: 2, of: topic))
        #expect(node.sink.heard.offsets(of: topic) == [1, 2])
        #expect(node.sink.heard.purged[topic] == nil)
        await node.stop()
    }

    @Test func `go on behind a gap when the listener was terminated`() async throws {
        let one = try await LogNode.withFreshDatabase()
        let two = try await LogNode(one.conninfo, name: "other")
        let topic = try await one.ephemeral("fast.lost")
        try await two.log.follow([topic], sink: two.sink)
        await one.log.append(["1"], to: topic)
        #expect(await two.sink.wait(for: 1, of: topic))
        #expect(try Session(one.conninfo).terminate("other follower") == 1)
        await one.log.append(["2", "3"], to: topic)
        #expect(
            await two.sink.wait { $0.purged[topic] == 4 || $0.events[topic]?.last?.offset == 3 })
        await one.log.append(["4"], to: topic)
        #expect(await two.sink.wait { $0.events[topic]?.last?.offset == 4 })
        #expect(two.sink.heard.untoldHoles.isEmpty)
        let missed = Set(1...4).subtracting(two.sink.heard.offsets(of: topic))
        #expect(missed.isSubset(of: [2, 3]))
        if let last = missed.max() { #expect(two.sink.heard.purged[topic] == last + 1) }
        await one.stop()
        await two.stop()
    }

    @Test func `do not wait for durable appends, nor these for them`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try await node.ephemeral("fast.apart")
        let durable = try TopicName("slow")
        await node.log.append(["1"], to: durable)
        await node.log.append(["1"], to: topic)
        let session = try Session(node.conninfo)
        try session.ask("BEGIN")
        // Every append waits for this.
        try session.ask("LOCK TABLE sluice.batches IN EXCLUSIVE MODE")
        async let appended = node.log.append(["2"], to: durable)
        #expect(await node.log.append(["2"], to: topic).brief == ["2-2"])
        try session.ask("ROLLBACK")
        try session.ask("BEGIN")
        try session.ask("LOCK TABLE sluice.ephemera IN EXCLUSIVE MODE")
        async let emitted = node.log.append(["3"], to: topic)
        #expect(await appended.brief == ["2-2"])
        #expect(await node.log.append(["3"], to: durable).brief == ["3-3"])
        try session.ask("ROLLBACK")
        #expect(await emitted.brief == ["3-3"])
        await node.stop()
    }

    @Test func `have no known outcome when the connection breaks`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try await node.ephemeral("fast.unknown")
        await node.log.append(["1"], to: topic)
        let session = try Session(node.conninfo)
        try session.ask(
            """
            CREATE FUNCTION public.sleep() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN PERFORM pg_catalog.pg_sleep(60); RETURN NEW; END'
            """)
        try session.ask(
            """
            CREATE TRIGGER sleep BEFORE INSERT ON sluice.ephemera
            FOR EACH ROW EXECUTE FUNCTION public.sleep()
            """)
        async let refused = node.log.append(["2"], to: topic)
        let sleeps = """
            SELECT count(*) FROM pg_stat_activity
            WHERE application_name = 'node emit' AND datname = current_database()
              AND wait_event = 'PgSleep'
            """
        try await eventually("it is sent") { try session.ask(sleeps).int8(0, 0) == 1 }
        #expect(try session.terminate("node emit") == 1)
        try session.ask("DROP TRIGGER sleep ON sluice.ephemera")
        #expect(await refused.brief == ["outcome_unknown"])
        #expect(await refused.error?.committed == .unknown)
        try await eventually("up again") { node.log.isReady }
        #expect(await node.log.append(["3"], to: topic).brief == ["2-2"])
        await node.stop()
    }

    @Test func `are listened to only while one is followed`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try await node.ephemeral("fast.listening")
        let durable = try TopicName("durable")
        await node.log.append(["1"], to: durable)
        try await node.log.follow([durable], sink: node.sink)
        for number in 1...3 { await node.log.append(["\(number)"], to: topic) }
        try await node.log.follow([topic], sink: node.sink)
        #expect(node.sink.heard.positions[topic]?.latest == 3)
        await node.log.append(["4"], to: topic)
        #expect(await node.sink.wait(for: 1, of: topic))
        node.log.unfollow([topic])
        await node.log.append(["5"], to: topic)
        try await node.log.follow([topic], sink: node.sink)
        await node.log.append(["6"], to: topic)
        #expect(await node.sink.wait(for: 2, of: topic))
        #expect(node.sink.heard.offsets(of: topic) == [4, 6])
        await node.stop()
    }
}

extension LogNode {
    func ephemeral(_ name: String) async throws -> TopicName {
        var settings = TopicSettings()
        settings.isDurable = false
        let topic = try TopicName(name)
        _ = try await log.create(topic, settings: settings)
        return topic
    }
}
