import PostgresBridge
import PostgresCluster
import Testing

/// A connection to an empty database of the shared cluster.
func connect(_ settings: [(String, String)] = []) throws -> PostgresConnection {
    try PostgresConnection(
        PostgresConfiguration(
            conninfo: try PostgresCluster.shared.freshDatabase(), settings: settings))
}

@Suite("A connection") struct ConnectionTests {
    @Test func `knows its server and applies its settings`() throws {
        let connection = try connect([
            ("synchronous_commit", "local"), ("search_path", "it's, \"odd\""),
        ])
        #expect(connection.serverVersion >= 140_000)
        let row = try connection.query(
            "SELECT pg_backend_pid(), current_setting('synchronous_commit'), "
                + "current_setting('search_path'), current_setting('application_name'), "
                + "current_setting('client_encoding')")
        #expect(row.int4(0, 0) == connection.backendPID)
        #expect(row.text(0, 1) == "local")
        #expect(row.text(0, 2) == "it's, \"odd\"")
        #expect(row.text(0, 3) == "sluice")
        #expect(row.text(0, 4) == "UTF8")
    }

    @Test func `keeps the options and the name that the user chose`() throws {
        let conninfo = try PostgresCluster.shared.freshDatabase()
        let connection = try PostgresConnection(
            PostgresConfiguration(
                conninfo: conninfo + " options='-c work_mem=5MB' application_name=mine"))
        let row = try connection.query(
            "SELECT current_setting('work_mem'), current_setting('application_name')")
        #expect(row.text(0, 0) == "5MB")
        #expect(row.text(0, 1) == "mine")
    }

    @Test func `is made to the first host of several that answers`() throws {
        let conninfo = try PostgresCluster.shared.freshDatabase()
        let several = conninfo.replacing("host='", with: "host='/nonexistent,", maxReplacements: 1)
        let connection = try PostgresConnection(
            PostgresConfiguration(conninfo: several + " target_session_attrs=read-write"))
        #expect(try connection.query("SELECT 7").int8(0, 0) == 7)
    }

    @Test func `is not made with a setting that the server refuses`() throws {
        let error = try #require(throws: PostgresError.self) { try connect([("nonsense", "1")]) }
        #expect(error.kind == .connectionFailed)
        #expect(error.sqlState == "42704")
    }

    @Test func `survives a refused statement, and tells its SQLSTATE`() throws {
        let connection = try connect()
        let error = try #require(throws: PostgresError.self) {
            try connection.query("SELECT 1/$1::int", [.int4(0)])
        }
        #expect(error.kind == .query)
        #expect(error.sqlState == "22012")
        #expect(error.message == "division by zero")
        #expect(try connection.query("SELECT 7").int8(0, 0) == 7)
    }

    @Test func `carries detail, hint and states of our own`() throws {
        let connection = try connect()
        let error = try #require(throws: PostgresError.self) {
            try connection.script(
                "DO $$BEGIN RAISE EXCEPTION 'not in it' USING ERRCODE='SL001', DETAIL='d', "
                    + "HINT='h'; END$$")
        }
        #expect(
            error
                == PostgresError(
                    kind: .query, sqlState: "SL001", message: "not in it", detail: "d", hint: "h"))
    }

    @Test(arguments: [
        "INSERT INTO t VALUES ('slc_secret', 1)", "INSERT INTO t VALUES ('slc_other', -1)",
        "SELECT 'slc_secret'::int", "SELECT 'slc:secret'::timestamptz",
        "SELECT '{\"a\":slc_secret}'::json", "SELECT '99999999999'::int",
        "SELECT ('\\x' || '73')::bytea || 'slc_\\secret'::bytea",
    ]) func `tells what was refused without the values`(statement: String) throws {
        let connection = try connect()
        try connection.script(
            """
            CREATE TEMP TABLE t(v text PRIMARY KEY, n int CHECK (n > 0));
            INSERT INTO t VALUES ('slc_secret', 1)
            """)
        let error = try #require(throws: PostgresError.self) { try connection.query(statement) }
        #expect(error.kind == .query)
        for piece in ["slc", "secret", "99999"] {
            #expect(!error.description.contains(piece), "\(error)")
        }
    }

    @Test func `is lost when the server ends it`() throws {
        let conninfo = try PostgresCluster.shared.freshDatabase()
        let victim = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
        let killer = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
        // Waits until the backend is gone.
        _ = try killer.query("SELECT pg_terminate_backend($1, 10000)", [.int4(victim.backendPID)])
        let error = try #require(throws: PostgresError.self) { try victim.query("SELECT 1") }
        #expect(error.kind == .connectionLost)
        let again = try #require(throws: PostgresError.self) { try victim.query("SELECT 1") }
        #expect(again.kind == .connectionLost)
    }

    @Test func `is closed after a deadline, and the statement cancelled`() throws {
        let conninfo = try PostgresCluster.shared.freshDatabase()
        let connection = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
        let error = try #require(throws: PostgresError.self) {
            try connection.query("SELECT pg_sleep(600)", timeout: .milliseconds(50))
        }
        #expect(error.kind == .timedOut)
        #expect(connection.isClosed)
        let other = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
        let deadline = ContinuousClock.now + .seconds(10)
        var isGone = false
        while !isGone && ContinuousClock.now < deadline {
            isGone =
                try other.query(
                    "SELECT FROM pg_stat_activity WHERE pid = $1", [.int4(connection.backendPID)]
                ).rowCount == 0
        }
        #expect(isGone)
    }

    @Test func `gives notices to the closure`() throws {
        let connection = try connect()
        var notices: [String] = []
        connection.onNotice = {
            notices.append("\($0.severity) \($0.sqlState ?? "") \($0.message)")
        }
        try connection.script("DO $$BEGIN RAISE WARNING 'take care'; END$$")
        #expect(notices == ["WARNING 01000 take care"])
    }

    @Test func `runs scripts of several statements, all or nothing`() throws {
        let connection = try connect()
        try connection.script("CREATE TABLE t (x int); INSERT INTO t VALUES (1), (2)")
        #expect(throws: PostgresError.self) {
            try connection.script("INSERT INTO t VALUES (3); SELECT nonsense")
        }
        #expect(try connection.query("SELECT count(*) FROM t").int8(0, 0) == 2)
        #expect(try connection.query("UPDATE t SET x = x + 1").affectedRows == 2)
        #expect(connection.isTransactionIdle)
        try connection.script("BEGIN")
        #expect(!connection.isTransactionIdle)
    }

    @Test func `prepares once and executes often`() throws {
        let connection = try connect()
        try connection.prepare("add", "SELECT $1::bigint + $2::int")
        for number in Int64(0)..<10 {
            let sum = try connection.execute("add", [.int8(number), .int4(1)])
            #expect(sum.int8(0, 0) == number + 1)
        }
        let error = try #require(throws: PostgresError.self) {
            try connection.execute("unknown", [])
        }
        #expect(error.sqlState == "26000")
    }

    @Test func `answers pings`() throws {
        #expect(PostgresConnection.ping(try PostgresCluster.shared.freshDatabase()) == .ok)
        #expect(PostgresConnection.ping("host=/nonexistent") == .noResponse)
        #expect(PostgresConnection.ping("no=such_option") == .noAttempt)
    }
}

@Suite("A connection string") struct ConninfoTests {
    @Test func `is shown without the password`() {
        let uri = PostgresConfiguration(
            conninfo: "postgresql://me:s3cret@db1,db2:5433/log?sslmode=require")
        #expect(uri.redacted == "host=db1,db2 port=,5433 dbname=log user=me")
        let keywords = PostgresConfiguration(
            conninfo: "host=db user=me password='a b' sslpassword=x")
        #expect(keywords.redacted == "host=db user=me")
        #expect(PostgresConfiguration(conninfo: "log").redacted == "dbname=log")
    }

    @Test(arguments: ["host=db password=my s3cret", "postgresql://me:%s3cret@db/log"])
    func `that cannot be read does not leak the password`(conninfo: String) throws {
        let configuration = PostgresConfiguration(conninfo: conninfo)
        #expect(!configuration.redacted.contains("s3cret"))
        let error = try #require(throws: PostgresError.self) {
            try PostgresConnection(configuration)
        }
        #expect(error.kind == .connectionFailed)
        #expect(!"\(error)".contains("s3cret"))
    }

    @Test func `to nobody fails with the address and without the password`() throws {
        let error = try #require(throws: PostgresError.self) {
            try PostgresConnection(
                PostgresConfiguration(conninfo: "host=/nonexistent password=s3cret"))
        }
        #expect(error.kind == .connectionFailed)
        #expect(error.message.contains("/nonexistent"))
        #expect(!"\(error)".contains("s3cret"))
    }
}
