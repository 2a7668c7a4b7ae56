import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import PostgresCluster
import Synchronization
import Testing

/// In which order appends were answered.
final class AnswerOrder: Sendable {
    private let answered = Mutex<[String]>([])

    /// Begins an append; its answer is noted under a name.
    func append(_ name: String, _ text: String, to topic: TopicName, of node: LogNode) {
        node.log.append(.fixture(topic, [text])) { [self] result in
            answered.withLock { $0.append("\(name) \(result.brief.joined())") }
        }
    }

    /// The same by `appendLater`; its name is its text.
    func appendLater(_ text: String, to topic: TopicName, of node: LogNode) {
        node.log.appendLater(.fixture(topic, [text])) { [self] result in
            answered.withLock { $0.append("\(text) \(result.brief.joined())") }
        }
    }

    var answers: [String] { answered.withLock { $0 } }

    func wait(for count: Int) async throws {
        try await eventually("answered") { self.answers.count >= count }
    }
}

extension Session {
    /// Another transaction's hold on a topic's lock, until it ends.
    func lock(_ topic: TopicName, of node: LogNode) async throws {
        let id = try #require(try await node.log.describe(topic)?.position.epoch.topicID)
        try ask("BEGIN")
        try ask("SELECT pg_advisory_xact_lock(4740, \(id))")
    }

    /// Appends to the topic take so many seconds from now on.
    func slow(_ topic: TopicName, of node: LogNode, seconds: Int) async throws {
        let id = try #require(try await node.log.describe(topic)?.position.epoch.topicID)
        try ask(
            """
            CREATE FUNCTION sluice.nap() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(\(seconds)); RETURN NEW; END'
            """)
        try ask(
            """
            CREATE TRIGGER nap BEFORE INSERT ON sluice.events FOR EACH ROW
            WHEN (NEW.topic_id = \(id)) EXECUTE FUNCTION sluice.nap()
            """)
    }

    /// The append connection of a node named `node` waits for a lock, or naps.
    func appendWaits(for event: String) throws -> Bool {
        try ask(
            """
            SELECT FROM pg_stat_activity WHERE application_name = 'node append'
              AND datname = current_database() AND wait_event = '\(event)'
            """
        ).rowCount == 1
    }
}

@Suite("Appends beside a catalog that is locked") struct LockedCatalogTests {
    @Test func `go on, while a publish to a new topic waits`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("catalog.old")
        await node.log.append(["1"], to: topic)
        let session = try Session(node.conninfo)
        try session.ask("BEGIN")
        try session.ask("SELECT sluice.next_version()")
        let order = AnswerOrder()
        order.append("new", "1", to: try TopicName("catalog.new"), of: node)
        order.append("new", "2", to: try TopicName("catalog.new"), of: node)
        for number in 2...4 {
            order.append("old", "\(number)", to: topic, of: node)
            try await order.wait(for: number - 1)
        }
        #expect(order.answers == ["old 2-2", "old 3-3", "old 4-4"])
        try session.ask("ROLLBACK")
        try await order.wait(for: 5)
        #expect(order.answers.suffix(2) == ["new 1-1", "new 2-2"])
        await node.stop()
    }

    @Test func `that are committed are answered before a topic is created`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let topic = try TopicName("catalog.committed")
        await node.log.append(["1"], to: topic)
        let catalog = try Session(node.conninfo)
        try catalog.ask("BEGIN")
        try catalog.ask("SELECT sluice.next_version()")
        let session = try Session(node.conninfo)
        try await session.slow(topic, of: node, seconds: 1)
        let order = AnswerOrder()
        order.append("committed", "2", to: topic, of: node)
        try await eventually("appending") { try session.appendWaits(for: "PgSleep") }
        order.append("new", "1", to: try TopicName("catalog.next"), of: node)
        try await order.wait(for: 1)
        #expect(order.answers == ["committed 2-2"])
        try catalog.ask("ROLLBACK")
        await node.stop()
    }
}

@Suite("Appends beside a topic that is locked") struct LockedTopicIsolationTests {
    @Test func `go on before its publisher is refused`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let locked = try TopicName("isolated.locked")
        let free = try TopicName("isolated.free")
        for topic in [locked, free] { await node.log.append(["1"], to: topic) }
        let session = try Session(node.conninfo)
        try await session.lock(locked, of: node)
        let order = AnswerOrder()
        order.append("locked", "2", to: locked, of: node)
        try await eventually("waiting") { try session.appendWaits(for: "advisory") }
        order.append("free", "2", to: free, of: node)
        order.append("free", "3", to: free, of: node)
        try await order.wait(for: 3)
        #expect(order.answers == ["free 2-2", "free 3-3", "locked database_unavailable"])
        try session.ask("ROLLBACK")
        #expect(await node.log.append(["2"], to: locked).brief == ["2-2"])
        await node.stop()
    }

    @Test func `do not hinder its publisher, who gets the lock within a second`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let locked = try TopicName("isolated.late")
        await node.log.append(["1"], to: locked)
        let session = try Session(node.conninfo)
        try await session.lock(locked, of: node)
        async let appended = node.log.append(["2"], to: locked)
        try await eventually("waiting") { try session.appendWaits(for: "advisory") }
        try await eventually("put aside") { try !session.appendWaits(for: "advisory") }
        try session.ask("ROLLBACK")
        #expect(await appended.brief == ["2-2"])
        await node.stop()
    }
}

@Suite("The announce of an append") struct AppendAnnounceTests {
    @Test func `does not wait for the next append`() async throws {
        let node = try await LogNode.withFreshDatabase()
        let first = try TopicName("announce.first")
        let slow = try TopicName("announce.slow")
        for topic in [first, slow] { await node.log.append(["1"], to: topic) }
        let session = try Session(node.conninfo)
        try await session.slow(slow, of: node, seconds: 3)
        try await session.lock(first, of: node)
        let listener = try Listener(node.conninfo)
        let order = AnswerOrder()
        order.append("first", "2", to: first, of: node)
        try await eventually("waiting") { try session.appendWaits(for: "advisory") }
        order.append("slow", "2", to: slow, of: node)
        try session.ask("ROLLBACK")
        let id = try #require(try await node.log.describe(first)?.position.epoch.topicID)
        try await eventually("announced") { try listener.heard().contains { $0.heads[id] == 2 } }
        #expect(order.answers == ["first 2-2"])
        await node.stop()
    }

    @Test func `is not sent where nobody else can listen`() async throws {
        let conninfo = try LogNode.cluster.freshDatabase()
        let node = try await LogNode(conninfo, announces: false)
        let listener = try Listener(conninfo)
        let topic = try TopicName("announce.none")
        let epoch = try await node.log.append(["1"], to: topic).get()[0].epoch
        // Its own subscribers hear of it all the same.
        try await node.log.follow([topic], sink: node.sink)
        await node.log.append(["2"], to: topic)
        #expect(await node.sink.wait(for: 1, of: topic))
        await node.stop()
        // Whatever was sent before this is heard before it.
        let last = JournalAnnounce(
            incarnation: epoch.incarnation, writer: 7, seq: 7, heads: [:])
        try Session(conninfo).ask(
            "SELECT pg_notify('sluice_announce', '\(last.payloads()[0])')")
        var heard: [JournalAnnounce] = []
        while heard.last != last { heard += try listener.heard() }
        #expect(heard == [last])
    }

    /// Another node's ear.
    struct Listener {
        private let connection: PostgresConnection

        init(_ conninfo: String) throws {
            connection = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
            _ = try connection.query("LISTEN sluice_announce")
        }

        func heard() throws -> [JournalAnnounce] {
            _ = try connection.wait(nil, timeout: .milliseconds(10))
            return try connection.notifications().compactMap {
                JournalAnnounce(payload: $0.payload)
            }
        }
    }
}
