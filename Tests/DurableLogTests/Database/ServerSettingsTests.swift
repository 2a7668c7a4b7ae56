import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import Testing

@Suite("The server's settings") struct ServerSettingsTests {
    private let node: LogNode
    private let table: ServerSettingsTable

    init() async throws {
        node = try await LogNode.withFreshDatabase()
        table = ServerSettingsTable(PostgresConfiguration(conninfo: node.conninfo))
    }

    @Test func `of a new database are the program's defaults`() async throws {
        let (before, now) = try await table.apply(ServerSettingsChanges())
        #expect(before == ServerSettings() && now == ServerSettings())
        await node.stop()
    }

    @Test func `become what is said, and stay as they are otherwise`() async throws {
        var changes = ServerSettingsChanges()
        changes.retainAge = .limited(.milliseconds(86_400_500))
        changes.retainBytes = .limited(1 << 40)
        changes.eventBytesMax = 2 << 20
        changes.createsTopics = false
        changes.keyWindow = .seconds(3600)
        let (before, now) = try await table.apply(changes)
        #expect(before == ServerSettings())
        #expect(now == changes.applied(to: ServerSettings()))
        // Another broker says something else, and nothing of the rest.
        var others = ServerSettingsChanges()
        others.retainAge = .unlimited
        others.retainCount = .limited(5)
        let later = try await table.apply(others)
        #expect(later.before == now)
        #expect(later.now == others.applied(to: now))
        #expect(try await table.apply(ServerSettingsChanges()).now == later.now)
        await node.stop()
    }

    @Test func `that change reach a node that runs`() async throws {
        var limits = Limits()
        limits.bodyBytesMax = 3 << 20
        let other = try await LogNode(node.conninfo, name: "other", limits: limits)
        var changes = ServerSettingsChanges()
        changes.createsTopics = false
        changes.eventBytesMax = 2 << 20
        _ = try await table.apply(changes)
        try await eventually("larger events") { limits.eventBytesMax == 2 << 20 }
        let missing = try TopicName("settings.missing")
        #expect(await other.log.append(["1"], to: missing).error?.code == .topicNotFound)
        changes.createsTopics = true
        changes.eventBytesMax = 4 << 20
        _ = try await table.apply(changes)
        try await eventually("what a body holds") { limits.eventBytesMax == 3 << 20 }
        #expect(await other.log.append(["1"], to: missing).brief == ["1-1"])
        await other.stop()
        await node.stop()
    }

    @Test func `hold for topics without a setting, and for SQL publishers`() async throws {
        let (plain, own) = (try TopicName("settings.plain"), try TopicName("settings.own"))
        var settings = TopicSettings()
        settings.retainCount = .unlimited
        settings.eventBytesMax = 100
        _ = try await node.log.create(own, settings: settings)
        await node.log.append(["1", "2", "3"], to: plain)
        await node.log.append(["1", "2", "3"], to: own)
        var changes = ServerSettingsChanges()
        changes.retainCount = .limited(1)
        changes.eventBytesMax = 10
        changes.createsTopics = false
        _ = try await table.apply(changes)
        let described = try #require(try await node.log.describe(plain))
        #expect(described.settings == TopicSettings())
        #expect(described.defaults.retainCount == 1 && described.defaults.eventBytesMax == 10)
        try await eventually("retained") {
            try await node.log.page(of: plain, after: 0).position.earliest == 3
        }
        #expect(try await node.log.page(of: own, after: 0).position.earliest == 1)
        let session = try Session(node.conninfo)
        #expect(throws: PostgresError.self) {
            try session.ask("SELECT sluice.publish('settings.plain', '12345678901'::json)")
        }
        try session.ask("SELECT sluice.publish('settings.own', '12345678901'::json)")
        try session.ask("SELECT sluice.publish('settings.none', '1'::json)")
        try await eventually("refused") {
            try session.ask(
                "SELECT FROM sluice.outbox_dead WHERE reason = 'topic_not_found'"
            ).rowCount == 1
        }
        await node.stop()
    }
}
