import PostgresBridge
import PostgresCluster
import Testing

@Suite(
    "A connection behind PgBouncer in transaction mode", .serialized,
    .enabled(if: Pooler.isInstalled, "pgbouncer is not installed (Debian: pgbouncer)"))
struct PooledConnectionTests {
    private let pooler: Pooler
    private let conninfo: String

    init() throws {
        let direct = try PostgresCluster.shared.freshDatabase()
        pooler = try Pooler(before: .shared, size: 2)
        conninfo = pooler.conninfo(direct)
    }

    private func connect(_ settings: [(String, String)] = []) throws -> PostgresConnection {
        try PostgresConnection(PostgresConfiguration(conninfo: conninfo, settings: settings))
    }

    private func lockTimeout(_ connection: PostgresConnection) throws -> String {
        try connection.query("SELECT current_setting('lock_timeout')").text(0, 0)
    }

    @Test func `has its settings in each transaction, and nobody else has them`() throws {
        defer { pooler.stop() }
        let connection = try connect([("lock_timeout", "123ms"), ("tcp_keepalives_idle", "7")])
        let stranger = try connect()
        #expect(try lockTimeout(connection) == "123ms")
        #expect(try lockTimeout(stranger) == "0")
        _ = try connection.query("BEGIN")
        #expect(!connection.isTransactionIdle)
        #expect(try lockTimeout(connection) == "123ms")
        // The process is this transaction's, so the stranger gets the other one.
        #expect(try lockTimeout(stranger) == "0")
        _ = try connection.query("COMMIT")
        #expect(connection.isTransactionIdle)
        #expect(try lockTimeout(stranger) == "0")
    }

    @Test func `goes on behind a statement that is refused, in a transaction and without one`()
        throws
    {
        defer { pooler.stop() }
        let connection = try connect([("lock_timeout", "123ms")])
        var error = #expect(throws: PostgresError.self) { try connection.query("SELECT 1 / 0") }
        #expect(error?.sqlState == "22012" && error?.kind == .query)
        #expect(connection.isTransactionIdle)
        _ = try connection.query("BEGIN")
        error = #expect(throws: PostgresError.self) { try connection.query("SELECT nothing") }
        #expect(error?.sqlState == "42703")
        error = #expect(throws: PostgresError.self) { try connection.query("SELECT 1") }
        #expect(error?.sqlState == "25P02")
        _ = try connection.query("ROLLBACK")
        #expect(try lockTimeout(connection) == "123ms")
    }

    @Test func `runs what it prepared in whichever process it gets`() throws {
        defer { pooler.stop() }
        let connection = try connect([("lock_timeout", "123ms")])
        try connection.prepare("say", "SELECT $1::text, pg_backend_pid()")
        let first = try connection.execute("say", [.text("one")])
        #expect(first.text(0, 0) == "one")
        // Somebody holds the process that it had.
        var held: [PostgresConnection] = []
        for _ in 1...2 {
            let other = try connect()
            _ = try other.query("BEGIN")
            if try other.query("SELECT pg_backend_pid()").int4(0, 0) == first.int4(0, 1) {
                held.append(other)
                break
            }
            _ = try other.query("ROLLBACK")
            held.append(other)
        }
        let second = try connection.execute("say", [.text("two")])
        #expect(second.text(0, 0) == "two")
    }

    @Test func `gives of a pipeline what was asked, and not its settings`() throws {
        defer { pooler.stop() }
        let connection = try connect([("lock_timeout", "123ms")])
        try connection.prepare("say", "SELECT $1::text")
        try connection.enterPipeline()
        try connection.sendPrepared("say", [.text("one")])
        try connection.sendQuery("SELECT current_setting('lock_timeout')", [])
        try connection.sendSync()
        try connection.sendQuery("SELECT (1/0)::text", [])
        try connection.sendPrepared("say", [.text("never")])
        try connection.sendSync()
        try connection.sendQuery("SELECT current_setting('lock_timeout')", [])
        try connection.sendSync()
        #expect(
            try connection.items(syncs: 3).map(name) == [
                "result one", "result 123ms", "synced", "failed 22012", "aborted", "synced",
                "result 123ms", "synced",
            ])
        #expect(try connection.nextResult().map(name) == nil)
        #expect(connection.isTransactionIdle)
    }

    @Test func `tells of a setting that is refused as of any connection that fails`() throws {
        defer { pooler.stop() }
        let connection = try connect([("lock_timeout", "much")])
        let error = #expect(throws: PostgresError.self) { try connection.query("SELECT 1") }
        #expect(error?.sqlState == "22023" && error?.kind == .query)
        try connection.enterPipeline()
        try connection.sendQuery("SELECT 'never'", [])
        try connection.sendSync()
        #expect(try connection.items(syncs: 1).map(name) == ["failed 22023", "aborted", "synced"])
    }

    @Test func `knows that it was lost with the pooler`() throws {
        let connection = try connect([("lock_timeout", "123ms")])
        _ = try connection.query("SELECT 1")
        pooler.stop()
        let error = #expect(throws: PostgresError.self) { try connection.query("SELECT 1") }
        #expect(error?.kind == .connectionLost)
    }
}
