import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import PostgresCluster
import Testing

@Suite("The outbox of a database") struct OutboxDatabaseTests {
    @Test func `shows what was refused, and sends it again or lets it go`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let outbox = OutboxDatabase(PostgresConfiguration(conninfo: node.conninfo))
        let session = try Session(node.conninfo)
        try session.ask("UPDATE sluice.settings SET create_topics = false")
        try session.ask(
            """
            SELECT sluice.publish('outbox.a', '{"a": "\(String(repeating: "ä", count: 50))"}',
              key => 'k', event_id => 'e', attributes => '{"x":1}')
            """)
        try session.ask(
            "SELECT sluice.publish('outbox.b', i::text) FROM generate_series(1, 4) i")
        try await eventually("refused") { try await outbox.ids(among: nil).count == 5 }
        let ids = try await outbox.ids(among: nil)

        let first = try #require(try await outbox.refused(after: 0, count: 1, excerpt: 8).first)
        #expect(first.id == ids[0])
        #expect(first.reason == ErrorCode.topicNotFound.rawValue)
        #expect(first.topic == "outbox.a")
        #expect(String(decoding: first.event.data, as: UTF8.self) == #"{"a": "ä"#)
        #expect(first.dataBytes == 109)
        #expect(first.event.key == "k" && first.event.eventID == "e")
        #expect(first.event.attributes.map { String(decoding: $0, as: UTF8.self) } == #"{"x":1}"#)
        let rest = try await outbox.refused(after: first.id, count: 10)
        #expect(
            rest.map { String(decoding: $0.event.data, as: UTF8.self) } == ["1", "2", "3", "4"])
        let counts = try await outbox.counts(of: ids)
        #expect(counts.map(\.topic) == ["outbox.b", "outbox.a"])
        #expect(counts.map(\.count) == [4, 1])

        let strange = ids[4] + 100
        #expect(try await outbox.ids(among: [ids[2], strange]) == [ids[2]])
        #expect(try await outbox.discard([ids[2], strange]) == 1)
        let topic = try TopicName("outbox.b")
        _ = try await node.log.create(topic, settings: TopicSettings())
        #expect(try await outbox.retry(ids) == 4)
        try await eventually("appended") { try await node.texts(of: topic) == ["1", "3", "4"] }
        // The other's topic is still not there, so it came back under a new id.
        try await eventually("refused again") { try await outbox.ids(among: nil).count == 1 }
        #expect(try await outbox.refused(after: ids[4], count: 10).map(\.topic) == ["outbox.a"])
        await node.stop()
    }

    @Test func `that was never migrated is told what to do`() async throws {
        let conninfo = try LogNode.cluster.freshDatabase()
        let error = await #expect(throws: BrokerError.self) {
            try await OutboxDatabase(PostgresConfiguration(conninfo: conninfo)).ids(among: nil)
        }
        #expect(error?.code == .databaseUnavailable)
        #expect(error?.remedy.contains("sluice migrate") == true)
    }
}
