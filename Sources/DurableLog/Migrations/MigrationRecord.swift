internal import EventModel
internal import PostgresBridge

/// What `sluice.migrations` says: which steps the database has, and with which text they were made.
struct MigrationRecord {
    private struct Row {
        var time: Timestamp
        /// SHA-256 of the step's text then is the one of its text now.
        var isSame: Bool
    }

    private var rows: [Int: Row] = [:]

    private static let versionMin = 140_000

    static func read(on connection: PostgresConnection) throws(PostgresError) -> MigrationRecord {
        guard connection.serverVersion >= versionMin else {
            throw PostgresError(
                kind: .connectionFailed, message: "PostgreSQL is older than version 14",
                hint: "Upgrade the server.")
        }
        var record = MigrationRecord()
        let exists = try connection.query("SELECT to_regclass('sluice.migrations') IS NOT NULL")
        guard exists.bool(0, 0) else { return record }
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
            record.rows[Int(result.int4(row, 0))] = Row(
                time: Timestamp(microseconds: result.timestamp(row, 1)),
                isSame: result.bool(row, 2))
        }
        return record
    }

    /// Each step of this program, or why it does not fit the database.
    func status() -> Result<[Migrator.Status], BrokerError> {
        if let newest = rows.keys.max(), newest > Migration.current {
            return .failure(
                Self.refusal(
                    "The database has migration \(newest), this program ends at "
                        + "\(Migration.current).",
                    remedy: "Start the newer program that migrated it."))
        }
        for migration in Migration.all where rows[migration.version]?.isSame == false {
            return .failure(
                Self.refusal(
                    "Migration \(migration.file) is not what the database was made with.",
                    remedy: "Start a released program; a migration that was applied never changes.")
            )
        }
        return .success(
            Migration.all.map {
                Migrator.Status(migration: $0, applied: rows[$0.version]?.time)
            })
    }

    private static func refusal(_ message: String, remedy: String) -> BrokerError {
        var error = BrokerError(.databaseUnavailable, message, remedy: remedy)
        // Trying again does not help.
        error.retryAfter = nil
        return error
    }

    /// Applies one step, unless the database has it.
    ///
    /// `true`: applied now.
    static func apply(
        _ migration: Migration, on connection: PostgresConnection
    ) throws(PostgresError) -> Result<Bool, BrokerError> {
        _ = try connection.query("BEGIN")
        do throws(PostgresError) {
            // Whoever waits here finds the step applied when the lock comes free.
            _ = try connection.query("SELECT pg_advisory_xact_lock(4743, 0)")
            let status = try read(on: connection).status()
            let isMissing = status.map {
                $0.first { $0.migration.version == migration.version }?.applied == nil
            }
            guard case .success(true) = isMissing else {
                _ = try connection.query("ROLLBACK")
                return isMissing
            }
            try connection.script(migration.sql)
            try record(migration, on: connection)
            _ = try connection.query("COMMIT")
            return .success(true)
        } catch {
            guard error.kind == .query else { throw error }
            _ = try connection.query("ROLLBACK")
            return .failure(
                refusal(
                    "Migration \(migration.file) failed: \(error).",
                    remedy: "The database's user needs the right to create schemas and roles."))
        }
    }

    private static func record(
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
}
