internal import EventModel
internal import PostgresBridge

/// What `sluice.migrations` and `sluice.functions` say: which steps and functions the database has,
/// and with which text they were made.
struct MigrationRecord {
    private struct Row {
        var time: Timestamp
        /// SHA-256 of the text then is the one of its text now.
        var isSame: Bool
    }

    private var steps: [Int: Row] = [:]
    private var functions: [String: Row] = [:]
    private var functionRevision = 0

    private static let versionMin = 140_000

    static func read(on connection: PostgresConnection) throws(PostgresError) -> MigrationRecord {
        guard connection.serverVersion >= versionMin else {
            throw PostgresError(
                kind: .connectionFailed, message: "PostgreSQL is older than version 14",
                hint: "Upgrade the server.")
        }
        var record = MigrationRecord()
        let tables = try connection.query(
            """
            SELECT to_regclass('sluice.migrations') IS NOT NULL,
              to_regclass('sluice.functions') IS NOT NULL
            """)
        if tables.bool(0, 0) { try record.readSteps(on: connection) }
        if tables.bool(0, 1) { try record.readFunctions(on: connection) }
        return record
    }

    private mutating func readSteps(on connection: PostgresConnection) throws(PostgresError) {
        let result = try connection.query(
            """
            SELECT m.version, m.applied_at,
              m.checksum = encode(sha256(convert_to(u.text, 'UTF8')), 'hex')
            FROM sluice.migrations m
            LEFT JOIN unnest($1::int[], $2::text[]) u(version, text) USING (version)
            """,
            [
                .int4Array(Migration.all.map { Int32($0.version) }),
                .textArray(Migration.all.map(\.sql)),
            ])
        for row in 0..<result.rowCount {
            steps[Int(result.int4(row, 0))] = Row(
                time: Timestamp(microseconds: result.timestamp(row, 1)),
                isSame: result.bool(row, 2))
        }
    }

    private mutating func readFunctions(on connection: PostgresConnection) throws(PostgresError) {
        let result = try connection.query(
            """
            SELECT f.file, f.applied_at, f.revision,
              f.checksum = encode(sha256(convert_to(u.text, 'UTF8')), 'hex')
            FROM sluice.functions f LEFT JOIN unnest($1::text[], $2::text[]) u(file, text)
              USING (file)
            """,
            [
                .textArray(SchemaFunction.all.map(\.file)),
                .textArray(SchemaFunction.all.map(\.sql)),
            ])
        for row in 0..<result.rowCount {
            functions[result.text(row, 0)] = Row(
                time: Timestamp(microseconds: result.timestamp(row, 1)),
                isSame: result.bool(row, 3))
            functionRevision = max(functionRevision, Int(result.int4(row, 2)))
        }
    }

    /// Each step and function of this program, or why the database does not fit it.
    func status() -> Result<[Migrator.Status], BrokerError> {
        if let newest = steps.keys.max(), newest > Migration.current {
            return .failure(
                Self.refusal(
                    "The database has migration \(newest), this program ends at "
                        + "\(Migration.current).",
                    remedy: "Start the newer program that migrated it."))
        }
        for migration in Migration.all where steps[migration.version]?.isSame == false {
            return .failure(
                Self.refusal(
                    "Migration \(migration.file) is not what the database was made with.",
                    remedy: "Start a released program; a migration that was applied never changes.")
            )
        }
        guard functionRevision <= SchemaFunction.revision else {
            return .failure(
                Self.refusal(
                    "The database has functions of revision \(functionRevision), this program's "
                        + "are of revision \(SchemaFunction.revision).",
                    remedy: "Start the newer program that migrated it."))
        }
        let steps = Migration.all.map {
            Migrator.Status(file: $0.file, applied: self.steps[$0.version]?.time)
        }
        return .success(
            steps
                + SchemaFunction.all.map {
                    let row = functions[$0.file]
                    return Migrator.Status(
                        file: $0.file, applied: row?.isSame == true ? row?.time : nil)
                })
    }

    private static func refusal(_ message: String, remedy: String) -> BrokerError {
        var error = BrokerError(.databaseUnavailable, message, remedy: remedy)
        // Trying again does not help.
        error.retryAfter = nil
        return error
    }

    /// Applies what is missing, all of it or nothing.
    ///
    /// - Returns: The files, in order.
    static func apply(
        on connection: PostgresConnection, again: Bool = false
    ) throws(PostgresError) -> Result<[String], BrokerError> {
        _ = try connection.query("BEGIN")
        var current = ""
        do throws(PostgresError) {
            // Whoever waits here finds everything applied when the lock comes free.
            _ = try connection.query("SELECT pg_advisory_xact_lock(4743, 0)")
            let record = try read(on: connection)
            if case .failure(let error) = record.status() {
                _ = try connection.query("ROLLBACK")
                return .failure(error)
            }
            let steps = Migration.all.filter { record.steps[$0.version] == nil }
            for step in steps {
                current = step.file
                try connection.script(step.sql)
                try note(step, on: connection)
            }
            let functions = SchemaFunction.all.filter {
                !steps.isEmpty || record.functions[$0.file]?.isSame != true
            }
            for function in functions {
                current = function.file
                try connection.script(function.sql)
            }
            if !functions.isEmpty { try note(functions, on: connection) }
            _ = try connection.query("COMMIT")
            return .success(steps.map(\.file) + functions.map(\.file))
        } catch {
            guard error.kind == .query else { throw error }
            _ = try connection.query("ROLLBACK")
            // Roles belong to all databases of a cluster: another one's migration created the same
            // role at the same time, and now it is there.
            if error.sqlState == "23505", !again { return try apply(on: connection, again: true) }
            return .failure(
                refusal(
                    "Migration \(current) failed: \(error).",
                    remedy: "The database's user needs the right to create schemas and roles."))
        }
    }

    private static func note(
        _ migration: Migration, on connection: PostgresConnection
    ) throws(PostgresError) {
        try connection.script(
            """
            CREATE TABLE IF NOT EXISTS sluice.migrations (
              version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
              applied_at timestamptz NOT NULL DEFAULT clock_timestamp());
            REVOKE ALL ON sluice.migrations FROM PUBLIC
            """)
        _ = try connection.query(
            """
            INSERT INTO sluice.migrations(version, name, checksum)
            VALUES ($1::int, $2::text, encode(sha256(convert_to($3::text, 'UTF8')), 'hex'))
            """, [.int4(Int32(migration.version)), .text(migration.name), .text(migration.sql)])
    }

    private static func note(
        _ functions: [SchemaFunction], on connection: PostgresConnection
    ) throws(PostgresError) {
        _ = try connection.query(
            """
            INSERT INTO sluice.functions(file, checksum, revision)
            SELECT u.file, encode(sha256(convert_to(u.text, 'UTF8')), 'hex'), $3::int
            FROM unnest($1::text[], $2::text[]) u(file, text)
            ON CONFLICT (file) DO UPDATE SET checksum = excluded.checksum,
              revision = excluded.revision, applied_at = excluded.applied_at
            """,
            [
                .textArray(functions.map(\.file)), .textArray(functions.map(\.sql)),
                .int4(Int32(SchemaFunction.revision)),
            ])
    }
}
