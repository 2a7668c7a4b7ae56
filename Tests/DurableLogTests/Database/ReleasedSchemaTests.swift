import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import PostgresCluster
import Testing

/// A database as the first two steps left it, with the functions of then, and filled by them.
@Suite("A database of the schema before functions had files") struct ReleasedSchemaTests {
    private let session: Session
    private let migrator: Migrator
    private let conninfo: String

    init() throws {
        conninfo = try LogNode.cluster.freshDatabase()
        session = try Session(conninfo)
        migrator = Migrator(
            PostgresConfiguration(conninfo: conninfo), logger: LogNode.logger)
        for migration in Migration.all.prefix(2) { try session.connection.script(migration.sql) }
        try session.connection.script(
            """
            CREATE TABLE sluice.migrations (
              version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
              applied_at timestamptz NOT NULL DEFAULT clock_timestamp());
            REVOKE ALL ON sluice.migrations FROM PUBLIC
            """)
        for migration in Migration.all.prefix(2) {
            _ = try session.connection.query(
                """
                INSERT INTO sluice.migrations(version, name, checksum)
                VALUES ($1::int, $2::text, encode(sha256(convert_to($3::text, 'UTF8')), 'hex'))
                """, [.int4(Int32(migration.version)), .text(migration.name), .text(migration.sql)])
        }
        try session.connection.script(Self.filling)
    }

    /// Two topics with events (one under an idempotency key), a purged one, a row in the outbox, a
    /// token, an incarnation with forks.
    private static let filling = """
        SELECT sluice.incarnation();
        SELECT sluice.create_topics('{released.a,released.b}');
        SELECT sluice.append((SELECT incarnation FROM sluice.marker), 7, 1, '{1,2}', '{2,1}',
          '{1,1,2}', '{1,2,1}', '{1,2,1}', ARRAY['1','2','3']::json[], '{k,NULL,NULL}',
          '{id,NULL,NULL}', ARRAY['{"a":1}', NULL, NULL]::json[], '{1}', '{1}', '{1}', NULL,
          '{e:id}', '{\\\\x00112233445566778899aabbccddeeff}');
        SELECT sluice.alter_topic(2, '{"retain_count": 5, "description": "é"}');
        SELECT sluice.purge(1, 2);
        SELECT sluice.incarnation(anew => true);
        SELECT sluice.publish('released.b', '4', key => 'k', event_id => 'e');
        INSERT INTO sluice.tokens(id, name, hash)
          VALUES ('0123456789', 'released', sha256('secret'));
        """

    private static let tables = [
        "sluice.settings", "sluice.catalog", "sluice.topics", "sluice.events", "sluice.tails",
        "sluice.batches", "sluice.keys", "sluice.outbox", "sluice.outbox_dead", "sluice.marker",
        // Which has another column since.
        "(SELECT id, name, hash, created_at, expires_at, revoked_at FROM sluice.tokens)",
    ]

    private func rows(of table: String) throws -> String {
        let rows = try session.ask(
            "SELECT coalesce(string_agg(t::text, '; ' ORDER BY t::text), '') FROM \(table) t")
        return rows.text(0, 0)
    }

    @Test func `is brought over without loss`() async throws {
        let before = try Self.tables.map(rows)
        let incarnations = ["sluice.incarnations", "sluice.forks"]
        let forks = try incarnations.map(rows)
        #expect(try await migrator.apply().first == "0003_bound_durations.sql")
        #expect(try Self.tables.map(rows) == before)
        #expect(try incarnations.map(rows) == forks)
        let node = try await LogNode(conninfo)
        let a = try TopicName("released.a")
        let b = try TopicName("released.b")
        #expect(try await node.log.append(["5"], to: a).get()[0].first == 3)
        #expect(try await node.log.page(of: a, after: 0).position.earliest == 2)
        try await eventually("drained") {
            try await node.log.page(of: b, after: 1).events.count == 1
        }
        #expect(try await node.texts(of: b) == ["3", "4"])
        await node.stop()
    }

    @Test func `ends up with the schema of a fresh one`() async throws {
        _ = try await migrator.apply()
        let fresh = try LogNode.cluster.freshDatabase()
        _ = try await Migrator(
            PostgresConfiguration(conninfo: fresh), logger: LogNode.logger
        ).apply()
        let (one, two) = (try Self.schema(of: session), try Self.schema(of: Session(fresh)))
        #expect(one.count > 200)
        #expect(one == two)
    }

    @Test func `has ages beyond the bound brought to it`() async throws {
        try session.ask("UPDATE sluice.topics SET retain_age = '3000000 days' WHERE topic_id = 1")
        try session.ask("UPDATE sluice.topics SET retain_age = '-1 s' WHERE topic_id = 2")
        try session.ask("UPDATE sluice.settings SET default_retain_age = '200000000 days'")
        try session.ask("UPDATE sluice.settings SET key_window = '4000000 days'")
        let version = try session.ask("SELECT version FROM sluice.catalog").int8(0, 0)
        _ = try await migrator.apply()
        let ages = try session.ask("SELECT retain_age::text FROM sluice.topics ORDER BY topic_id")
        #expect([ages.text(0, 0), ages.text(1, 0)] == ["36500 days", "-00:00:01"])
        let settings = try session.ask(
            "SELECT default_retain_age::text, key_window::text FROM sluice.settings")
        #expect([settings.text(0, 0), settings.text(0, 1)] == ["36500 days", "36500 days"])
        // Nodes read what is above the version that they know.
        let altered = try session.ask(
            "SELECT topic_id FROM sluice.topics WHERE version > \(version)")
        #expect(altered.rowCount == 1 && altered.int4(0, 0) == 1)
        #expect(try session.ask("SELECT sluice.retain(1)").int8(0, 0) == 1)
    }

    /// Everything that the catalog says of the schema but oids and times, a line each.
    private static func schema(of session: Session) throws -> [String] {
        let lines = try session.ask(
            """
            SELECT concat_ws(' ', 'column', c.relname, a.attnum, a.attname, a.attisdropped,
                format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                a.attcompression, a.attcollation, pg_get_expr(d.adbin, d.adrelid)) AS line
              FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
              LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
              WHERE c.relnamespace = 'sluice'::regnamespace AND a.attnum > 0
            UNION ALL
            SELECT concat_ws(' ', 'relation', relname, relkind, relpersistence, relacl, reloptions,
                pg_get_partkeydef(oid), pg_get_expr(relpartbound, oid))
              FROM pg_class WHERE relnamespace = 'sluice'::regnamespace
            UNION ALL
            SELECT concat_ws(' ', 'constraint', conname, conrelid::regclass,
                pg_get_constraintdef(oid))
              FROM pg_constraint WHERE connamespace = 'sluice'::regnamespace
            UNION ALL
            SELECT concat_ws(' ', 'index', indexdef) FROM pg_indexes WHERE schemaname = 'sluice'
            UNION ALL
            SELECT concat_ws(' ', 'function', pg_get_functiondef(oid), proacl)
              FROM pg_proc WHERE pronamespace = 'sluice'::regnamespace
            UNION ALL
            SELECT concat_ws(' ', 'schema', nspacl) FROM pg_namespace WHERE nspname = 'sluice'
            ORDER BY line
            """)
        return (0..<lines.rowCount).map { lines.text($0, 0) }
    }
}
