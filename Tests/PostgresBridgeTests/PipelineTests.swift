import PostgresBridge
import PostgresCluster
import Testing

/// A short name of an item, for comparing whole sequences.
func name(_ item: PostgresPipelineItem) -> String {
    switch item {
    case .result(let result): "result \(result.rowCount == 0 ? "" : result.text(0, 0))"
    case .failed(let error): "failed \(error.sqlState ?? "")"
    case .aborted: "aborted"
    case .synced: "synced"
    }
}

extension PostgresConnection {
    /// Reads up to the given number of syncs.
    func items(syncs: Int) throws -> [PostgresPipelineItem] {
        var items: [PostgresPipelineItem] = []
        var open = syncs
        while open > 0 {
            while let item = try nextResult() {
                items.append(item)
                if case .synced = item { open -= 1 }
            }
            if open > 0, try wait(nil, timeout: .seconds(10)) == .timedOut { break }
        }
        return items
    }
}

@Suite("A pipeline") struct PipelineTests {
    @Test func `answers in order, and groups by syncs what fails together`() throws {
        let connection = try connect()
        try connection.prepare("say", "SELECT $1::text")
        try connection.enterPipeline()
        try connection.sendPrepared("say", [.text("one")])
        try connection.sendQuery("SELECT $1::text", [.text("two")])
        try connection.sendSync()
        try connection.sendQuery("SELECT (1/0)::text", [])
        try connection.sendPrepared("say", [.text("never")])
        try connection.sendSync()
        try connection.sendPrepared("say", [.text("three")])
        try connection.sendSync()
        #expect(
            try connection.items(syncs: 3).map(name) == [
                "result one", "result two", "synced", "failed 22012", "aborted", "synced",
                "result three", "synced",
            ])
        #expect(try connection.nextResult().map(name) == nil)
        #expect(connection.isTransactionIdle)
    }

    @Test func `sends parameters that share a buffer, which is filled again at once`() throws {
        let connection = try connect()
        try connection.prepare(
            "say",
            """
            SELECT concat_ws('/', $1::text, $2::int[], $3::bigint[], array_to_string($4::json[],
              ',', 'NULL'), array_to_string($5::text[], ',', 'NULL'), $6::bigint, $7::int[],
              coalesce($8::text, 'none'))
            """)
        try connection.enterPipeline()
        var parameters = PostgresParameters()
        for text in ["", "é"] {
            parameters.removeAll()
            parameters.add(.text(text))
            parameters.int4Array([1, -2, .max])
            parameters.int8Array([.min])
            parameters.beginJSONArray(2)
            parameters.append(Array(#"{"k":3}"#.utf8))
            parameters.append(Array("4".utf8))
            parameters.beginTextArray(3)
            parameters.append(text as String?)
            parameters.append(nil as String?)
            parameters.append("a,b" as String?)
            parameters.add(.int8(7))
            parameters.int4Array([])
            parameters.add(.null)
            try connection.sendPrepared("say", parameters)
        }
        try connection.sendSync()
        let numbers = "{1,-2,2147483647}/{-9223372036854775808}"
        let rest = #"NULL,a,b/7/{}/none"#
        #expect(
            try connection.items(syncs: 1).map(name) == [
                #"result /\#(numbers)/{"k":3},4/,\#(rest)"#,
                #"result é/\#(numbers)/{"k":3},4/é,\#(rest)"#, "synced",
            ])
    }

    @Test func `commits at each sync, and rolls back the group that failed`() throws {
        let connection = try connect()
        try connection.script("CREATE TABLE t (x int PRIMARY KEY)")
        try connection.enterPipeline()
        for group in [[1, 2], [3, 1], [4]] {
            for value in group {
                try connection.sendQuery(
                    "INSERT INTO t VALUES ($1)", [.int4(Int32(value))])
            }
            try connection.sendSync()
        }
        try connection.sendQuery("SELECT string_agg(x::text, ',' ORDER BY x) FROM t", [])
        try connection.sendSync()
        #expect(
            try connection.items(syncs: 4).map(name) == [
                "result ", "result ", "synced", "result ", "failed 23505", "synced", "result ",
                "synced", "result 1,2,4", "synced",
            ])
    }

    @Test func `does not lock up when both sides have much to say`() throws {
        // More than the socket buffers hold, in both directions, before anything is read.
        let connection = try connect()
        try connection.enterPipeline()
        let payload = [UInt8](repeating: 97, count: 1 << 20)
        for _ in 0..<16 {
            try connection.sendQuery("SELECT $1::bytea", [.bytes(payload)])
        }
        try connection.sendSync()
        let items = try connection.items(syncs: 1)
        #expect(items.count == 17)
        for case .result(let result) in items {
            #expect(result.withBytes(0, 0) { $0.count } == payload.count)
        }
    }

    @Test func `gives what had arrived, then the loss`() throws {
        let conninfo = try PostgresCluster.shared.freshDatabase()
        let connection = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
        try connection.enterPipeline()
        try connection.sendQuery("SELECT 'done'", [])
        try connection.sendSync()
        try connection.sendQuery("SELECT pg_terminate_backend(pg_backend_pid())", [])
        try connection.sendSync()
        var seen: [String] = []
        let error = try #require(throws: PostgresError.self) {
            while true {
                while let item = try connection.nextResult() { seen.append(name(item)) }
                _ = try connection.wait(nil, timeout: .seconds(10))
            }
        }
        #expect(seen == ["result done", "synced"])
        #expect(error.kind == .connectionLost)
        #expect(error.sqlState == "57P01")
    }

    @Test func `tells a loss while nothing is due`() throws {
        let conninfo = try PostgresCluster.shared.freshDatabase()
        let connection = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
        try connection.enterPipeline()
        let killer = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
        _ = try killer.query(
            "SELECT pg_terminate_backend($1, 10000)", [.int4(connection.backendPID)])
        #expect(try connection.wait(nil, timeout: .seconds(10)) == .socket)
        let error = try #require(throws: PostgresError.self) {
            // The reason comes with the first read, the end with another.
            while try connection.wait(nil, timeout: .seconds(10)) == .socket {
                _ = try connection.nextResult()
            }
        }
        #expect(error.kind == .connectionLost)
    }
}

@Suite("Waiting on a connection") struct WaitingTests {
    @Test func `ends with the timeout, a wakeup, or the socket`() throws {
        let connection = try connect()
        let wakeup = PostgresWakeup()
        #expect(try connection.wait(wakeup, timeout: .milliseconds(5)) == .timedOut)
        wakeup.signal()
        wakeup.signal()
        #expect(try connection.wait(wakeup, timeout: nil) == .woken)
        #expect(try connection.wait(wakeup, timeout: .zero) == .timedOut)

        let thread = PostgresThread(name: "waker") { wakeup.signal() }
        #expect(try connection.wait(wakeup, timeout: .seconds(10)) == .woken)
        thread.join()
    }

    @Test func `hands out notifications, its own and others'`() throws {
        let conninfo = try PostgresCluster.shared.freshDatabase()
        let listener = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
        let sender = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
        try listener.script("LISTEN news")
        #expect(try listener.notifications() == [])

        _ = try sender.query("SELECT pg_notify('news', $1)", [.text("first")])
        #expect(try listener.wait(nil, timeout: .seconds(10)) == .socket)
        #expect(
            try listener.notifications() == [
                PostgresNotification(
                    channel: "news", payload: "first", backendPID: sender.backendPID)
            ])

        // These come with the answer to a query, so the socket says nothing any more.
        try listener.script("NOTIFY news, 'own'")
        #expect(try listener.wait(nil, timeout: .seconds(10)) == .socket)
        #expect(try listener.notifications().map(\.payload) == ["own"])
        #expect(try listener.wait(nil, timeout: .zero) == .timedOut)
    }

    @Test func `takes notifications in pipeline mode, too`() throws {
        let connection = try connect()
        try connection.script("LISTEN news")
        try connection.enterPipeline()
        try connection.sendQuery("SELECT pg_notify('news', 'x')", [])
        try connection.sendSync()
        #expect(try connection.items(syncs: 1).map(name) == ["result ", "synced"])
        #expect(try connection.wait(nil, timeout: .seconds(10)) == .socket)
        #expect(try connection.notifications().map(\.payload) == ["x"])
    }
}

@Suite("A server that crashes") struct CrashTests {
    @Test func `loses its connections, and takes new ones at the same place after a restart`()
        throws
    {
        let cluster = PostgresCluster()
        defer { cluster.stop() }
        let conninfo = try cluster.freshDatabase()
        let connection = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
        try connection.script("CREATE TABLE t AS SELECT 1 AS x")
        try cluster.killServer()
        #expect(PostgresConnection.ping(conninfo) == .noResponse)
        let error = try #require(throws: PostgresError.self) { try connection.query("SELECT 1") }
        #expect(error.kind == .connectionLost)
        #expect(throws: PostgresError.self) {
            try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
        }
        try cluster.restart()
        let next = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
        #expect(try next.query("SELECT x FROM t").int8(0, 0) == 1)
    }
}
