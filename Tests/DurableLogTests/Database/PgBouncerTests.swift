import AccessControl
import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import PostgresCluster
import Testing

/// Everything but LISTEN goes through a PgBouncer whose few server processes all connections share.
@Suite(
    "A log behind PgBouncer in transaction mode", .serialized,
    .enabled(if: Pooler.isInstalled, "pgbouncer is not installed (Debian: pgbouncer)"))
struct PgBouncerTests {
    let cluster = PostgresCluster()

    private struct Pooled {
        let pooler: Pooler
        /// Past the pooler.
        let direct: String
        let node: LogNode
    }

    /// A node that migrated its database through the pooler.
    private func pooledNode(
        size: Int = 4, setUp: (Session) throws -> Void = { _ in }
    ) async throws -> Pooled {
        let direct = try cluster.freshDatabase()
        try setUp(Session(direct))
        let pooler = try Pooler(before: cluster, size: size)
        let node = try await LogNode(pooler.conninfo(direct), listening: direct)
        return Pooled(pooler: pooler, direct: direct, node: node)
    }

    @Test func `appends, follows, reads, drains, retains and knows tokens`() async throws {
        defer { cluster.stop() }
        let pooled = try await pooledNode()
        defer { pooled.pooler.stop() }
        let log = pooled.node.log
        let topic = try TopicName("pooled.life")
        let first = try await log.append(["1"], to: topic).get()[0]
        try await log.follow([topic], sink: pooled.node.sink)
        for number in 2...300 { await log.append(["\(number)"], to: topic) }
        let publisher = try Session(pooled.node.conninfo)
        try publisher.ask("SELECT sluice.publish('pooled.life', '301')")
        try publisher.ask("SELECT sluice.publish('pooled.life', '302', wake => true)")
        #expect(await pooled.node.sink.wait(for: 301, of: topic))
        #expect(pooled.node.sink.heard.offsets(of: topic) == Array(2...302))
        #expect(try await pooled.node.texts(of: topic) == (1...302).map(String.init))
        let cursor = Cursor(epoch: first.epoch, offset: 7)
        #expect(try await log.resume([topic: cursor]) == [topic: .goesOn])
        #expect(try await log.offsets(of: [topic], at: Timestamp(microseconds: 0))[topic] == 1)

        var settings = TopicSettings()
        settings.retainCount = .limited(3)
        let short = try TopicName("pooled.short")
        _ = try await log.create(short, settings: settings)
        await log.append((1...10).map(String.init), to: short)
        try await eventually("retained") {
            try await log.describe(short)?.position.earliest == 8
        }
        let tokens = TokenDatabase(PostgresConfiguration(conninfo: pooled.node.conninfo))
        let hash = [UInt8](repeating: 7, count: 32)
        #expect(try await tokens.createFirst(id: "aaaaaaaaaa", name: "a", hash: hash))
        #expect(try await log.revoked(among: ["aaaaaaaaaa", "bbbbbbbbbb"]) == ["bbbbbbbbbb"])
        await pooled.node.stop()
    }

    @Test func `leaves nothing behind in the server processes`() async throws {
        defer { cluster.stop() }
        let pooled = try await pooledNode()
        defer { pooled.pooler.stop() }
        let topic = try TopicName("pooled.clean")
        for number in 1...20 { await pooled.node.log.append(["\(number)"], to: topic) }
        #expect(try await pooled.node.texts(of: topic).count == 20)
        await pooled.node.stop()
        // Each process of the pool, as whoever comes next finds it.
        let strangers = try (1...4).map { _ in try Session(pooled.node.conninfo) }
        for stranger in strangers { try stranger.ask("BEGIN") }
        var processes: Set<Int32> = []
        for stranger in strangers {
            processes.insert(try stranger.ask("SELECT pg_backend_pid()").int4(0, 0))
            let changed = try stranger.ask(
                """
                SELECT name || ' = ' || setting FROM pg_settings
                WHERE setting <> reset_val AND source = 'session'
                  AND name NOT IN ('application_name', 'client_encoding', 'transaction_isolation')
                """)
            #expect((0..<changed.rowCount).map { changed.text($0, 0) } == [])
            let prepared = try stranger.ask("SELECT count(*) FROM pg_prepared_statements")
            #expect(prepared.int8(0, 0) == 0)
            #expect(try stranger.ask("SELECT pg_listening_channels()").rowCount == 0)
            let held = try stranger.ask(
                """
                SELECT count(*) FROM pg_locks
                WHERE locktype = 'advisory' AND pid = pg_backend_pid()
                """)
            #expect(held.int8(0, 0) == 0)
        }
        #expect(processes.count == 4)
    }

    /// A statement without its settings is refused here (SL005), or waits for a lock for ever.
    @Test(.timeLimit(.minutes(1)))
    func `sets what it needs in each transaction, whatever the database's own settings are`()
        async throws
    {
        defer { cluster.stop() }
        let pooled = try await pooledNode { session in
            let name = try session.ask("SELECT current_database()::text").text(0, 0)
            for setting in ["synchronous_commit = off", "search_path = public", "lock_timeout = 0"]
            {
                try session.ask("ALTER DATABASE \(name) SET \(setting)")
            }
        }
        defer { pooled.pooler.stop() }
        let topic = try TopicName("pooled.settings")
        let receipt = try await pooled.node.log.append(["1"], to: topic).get()[0]
        let session = try Session(pooled.direct)
        try session.ask("BEGIN")
        try session.ask("SELECT pg_advisory_xact_lock(4740, \(receipt.epoch.topicID ?? 0))")
        // The topic is held: others go on, and this one is refused in time.
        async let locked = pooled.node.log.append(["2"], to: topic)
        let other = try TopicName("pooled.other")
        #expect(await pooled.node.log.append(["1"], to: other).brief == ["1-1"])
        #expect(await locked.brief == ["database_unavailable"])
        try session.ask("ROLLBACK")
        #expect(await pooled.node.log.append(["3"], to: topic).brief == ["2-2"])
        await pooled.node.stop()
    }

    /// A transaction's level cannot be set by its first statement.
    @Test func `refuses a database whose transactions do not read committed`() async throws {
        defer { cluster.stop() }
        let direct = try cluster.freshDatabase()
        let session = try Session(direct)
        let name = try session.ask("SELECT current_database()::text").text(0, 0)
        try session.ask(
            "ALTER DATABASE \(name) SET default_transaction_isolation = 'repeatable read'")
        let pooler = try Pooler(before: cluster)
        defer { pooler.stop() }
        let migrator = Migrator(
            PostgresConfiguration(conninfo: pooler.conninfo(direct)), logger: LogNode.logger)
        let error = await #expect(throws: BrokerError.self) { try await migrator.apply() }
        #expect(error?.message.contains("ISOLATION LEVEL") == true)
    }

    @Test func `goes on when the pooler is restarted, and loses and doubles nothing`() async throws
    {
        defer { cluster.stop() }
        let pooled = try await pooledNode()
        defer { pooled.pooler.stop() }
        let topic = try TopicName("pooled.restart")
        await pooled.node.log.append(["0"], to: topic)
        try await pooled.node.log.follow([topic], sink: pooled.node.sink)
        let publishers = (1...3).map { Publisher("p\($0)", to: topic, of: pooled.node) }
        for round in 1...3 {
            try await eventually("published in round \(round)") {
                publishers.allSatisfy { $0.acknowledgedCount >= 30 * round }
            }
            pooled.pooler.stop()
            try pooled.pooler.start()
        }
        try await LoadChecks.check(pooled.node, topic, publishers, mayBeUnknown: false)
        #expect(pooled.node.sink.heard.restarts.isEmpty)
        await pooled.node.stop()
    }

    @Test func `notices that the server behind the pooler crashed`() async throws {
        defer { cluster.stop() }
        let pooled = try await pooledNode()
        defer { pooled.pooler.stop() }
        let topic = try TopicName("pooled.crash")
        let before = try await pooled.node.log.append(["0"], to: topic).get()[0]
        try await pooled.node.log.follow([topic], sink: pooled.node.sink)
        let publishers = (1...3).map { Publisher("p\($0)", to: topic, of: pooled.node) }
        try await eventually("published") {
            publishers.allSatisfy { $0.acknowledgedCount >= 30 }
        }
        try cluster.killServer()
        try cluster.restart()
        try await eventually("up again") { pooled.node.log.isReady }
        try await LoadChecks.check(pooled.node, topic, publishers, mayBeUnknown: false)
        let after = try await pooled.node.log.append(["9"], to: topic).get()[0]
        #expect(after.epoch != before.epoch)
        #expect(pooled.node.sink.heard.restarts.count == 1)
        await pooled.node.stop()
    }

    @Test func `that is the only way to the server is told to name one for listening`()
        async throws
    {
        defer { cluster.stop() }
        let direct = try cluster.freshDatabase()
        let pooler = try Pooler(before: cluster)
        defer { pooler.stop() }
        let configuration = PostgresConfiguration(conninfo: pooler.conninfo(direct))
        _ = try await Migrator(configuration, logger: LogNode.logger).apply()
        let log = PostgresLog(configuration: configuration, logger: LogNode.logger)
        log.start(sink: RecordingSink())
        // Appends work, but a follower that hears nothing is not ready.
        try await eventually("appending") {
            await log.append(["1"], to: try TopicName("pooled.only")).error == nil
        }
        #expect(!log.isReady)
        await LogNode.stop(log)
    }
}
