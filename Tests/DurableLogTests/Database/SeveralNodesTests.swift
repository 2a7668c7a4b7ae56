import DurableLog
import EventLogContract
import EventModel
import PostgresCluster
import Testing

@Suite("Several nodes on one database") struct SeveralNodesTests {
    @Test func `hear everything of each other, dense and in order`() async throws {
        let one = try await LogNode.withFreshDatabase()
        let two = try await LogNode(one.conninfo, name: "other")
        let topics = try (0..<3).map { try TopicName("nodes.t\($0)") }
        for topic in topics { await one.log.append(["0"], to: topic) }
        for node in [one, two] { try await node.log.follow(topics, sink: node.sink) }
        let perWriter = 60
        await withTaskGroup(of: Void.self) { group in
            for (index, topic) in (topics + topics).enumerated() {
                let node = index < topics.count ? one : two
                group.addTask {
                    for number in 0..<perWriter { await node.log.append(["\(number)"], to: topic) }
                }
            }
        }
        for node in [one, two] {
            for topic in topics {
                #expect(await node.sink.wait(for: 2 * perWriter, of: topic))
                #expect(node.sink.heard.offsets(of: topic) == Array(2...Offset(2 * perWriter + 1)))
            }
        }
        await one.stop()
        await two.stop()
    }

    @Test func `learn of a topic that another one created, and miss none of its events`()
        async throws
    {
        let one = try await LogNode.withFreshDatabase()
        let two = try await LogNode(one.conninfo, name: "other")
        let topic = try TopicName("nodes.new")
        await one.log.append(["1", "2"], to: topic)
        #expect(await two.sink.wait { $0.created.contains(topic) })
        try await two.log.follow([topic], sink: two.sink)
        #expect(two.sink.heard.positions[topic]?.latest == 2)
        await one.log.append(["3"], to: topic)
        #expect(await two.sink.wait(for: 1, of: topic))
        await one.stop()
        await two.stop()
    }

    @Test func `tell of a topic that they have just created before they follow it`() async throws {
        // Nothing announces it, so it is an append alone that has come across it.
        let node = try await LogNode(LogNode.cluster.freshDatabase(), announces: false)
        let topic = try TopicName("nodes.own")
        await node.log.append(["1", "2"], to: topic)
        try await node.log.follow([topic], sink: node.sink)
        #expect(node.sink.heard.created == [topic])
        #expect(node.sink.heard.positions[topic]?.latest == 2)
        await node.stop()
    }

    @Test func `follow a topic that was created elsewhere a moment ago`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let session = try Session(node.conninfo)
        for number in 0..<20 {
            // Nothing announces it, so most often the node has not read of it yet.
            let topic = try TopicName("nodes.fresh\(number)")
            try session.ask("SELECT count(*) FROM sluice.create_topics(ARRAY['\(topic)'])")
            try await node.log.follow([topic], sink: node.sink)
            #expect(node.sink.heard.positions[topic]?.latest == 0)
        }
        await node.stop()
    }

    @Test func `learn of a deletion and of a purge`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("nodes.gone")
        let receipt = try await node.log.append(["1", "2", "3"], to: topic).get()[0]
        try await node.log.follow([topic], sink: node.sink)
        let id = try #require(receipt.epoch.topicID)
        let session = try Session(node.conninfo)
        try session.ask("SELECT sluice.purge(\(id), 3)")
        #expect(await node.sink.wait { $0.purged[topic] == 3 })
        #expect(try await node.log.page(of: topic, after: 0).events.map(\.offset) == [3])
        #expect(try await node.log.page(of: topic, after: 0).purgedBelow == 3)
        try session.ask("SELECT sluice.delete_topic(\(id))")
        #expect(await node.sink.wait { $0.deleted.contains(topic) })
        // The name is free: an append creates its successor.
        let successor = try await node.log.append(["1"], to: topic).get()[0]
        #expect(successor.first == 1)
        #expect(successor.epoch != receipt.epoch)
        await node.stop()
    }

    @Test func `learn of what another one altered, purged and deleted, within two seconds`()
        async throws
    {
        let one = try await LogNode.withFreshDatabase()
        let two = try await LogNode(one.conninfo, name: "other")
        let topic = try TopicName("nodes.managed")
        await one.log.append(["1", "2", "3"], to: topic)
        try await two.log.follow([topic], sink: two.sink)
        var changes = TopicChanges()
        changes.eventBytesMax = 3
        _ = try await one.log.alter(topic, changes, ifRevision: nil)
        try await eventually("altered", timeout: .seconds(2)) {
            await two.log.append(["12345"], to: topic).brief == ["event_too_large"]
        }
        _ = try await one.log.purge(topic, before: 3, ifRevision: nil)
        #expect(await two.sink.wait(timeout: .seconds(2)) { $0.purged[topic] == 3 })
        _ = try await one.log.delete(topic, ifRevision: nil)
        #expect(await two.sink.wait(timeout: .seconds(2)) { $0.deleted.contains(topic) })
        await one.stop()
        await two.stop()
    }

    @Test func `leave a topic as it is while somebody holds its lock`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("nodes.locked")
        let receipt = try await node.log.append(["1"], to: topic).get()[0]
        let id = try #require(receipt.epoch.topicID)
        let session = try Session(node.conninfo)
        try session.ask("BEGIN")
        try session.ask("SELECT pg_advisory_xact_lock(4740, \(id))")
        let error = await #expect(throws: BrokerError.self) {
            try await node.log.delete(topic, ifRevision: nil)
        }
        #expect(error?.code == .databaseUnavailable)
        #expect(error?.message.contains("nodes.locked was not changed") == true)
        try session.ask("ROLLBACK")
        #expect(try await node.log.delete(topic, ifRevision: nil).position.latest == 1)
        await node.stop()
    }

    @Test func `an append that meets a deleted topic looks its name up once more`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("nodes.deleted")
        let first = try await node.log.append(["1"], to: topic).get()[0]
        let id = try #require(first.epoch.topicID)
        try Session(node.conninfo).ask("SELECT sluice.delete_topic(\(id))")
        // Before the node can have read the catalog, or after it: the answer is the same.
        let second = try await node.log.append(["1"], to: topic).get()[0]
        #expect(second.epoch != first.epoch)
        #expect(second.first == 1)
        await node.stop()
    }

    @Test func `hear what SQL publishers publish`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("nodes.sql")
        await node.log.append(["0"], to: topic)
        try await node.log.follow([topic], sink: node.sink)
        let session = try Session(node.conninfo)
        try session.ask(
            """
            SELECT sluice.publish('nodes.sql', '{"n": 1}'::json, key => 'k', event_id => 'a'),
              sluice.publish('nodes.sql', '2', wake => true)
            """)
        #expect(await node.sink.wait(for: 2, of: topic))
        let events = node.sink.heard.events[topic] ?? []
        #expect(events.map(\.offset) == [2, 3])
        #expect(events.map(\.text) == [#"{"n": 1}"#, "2"])
        #expect(events[0].content.key == "k")
        #expect(events[0].content.eventID == "a")
        await node.stop()
    }

    @Test func `let retention take what is over a topic's limit`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("nodes.retained")
        var settings = TopicSettings()
        settings.retainCount = .limited(2)
        _ = try await node.log.create(topic, settings: settings)
        await node.log.append(["1", "2", "3", "4"], to: topic)
        try await eventually("deleted") {
            try await node.log.page(of: topic, after: 0).position.earliest == 3
        }
        let description = try #require(try await node.log.describe(topic))
        #expect(description.bytes == 2)
        await node.stop()
    }
}
