package import AccessControl
package import EventModel
package import PostgresBridge

/// The tokens of a database, for whoever manages them and needs nothing else of the log.
///
/// Every method throws `database_unavailable` (retry) when there is no connection or no table of
/// tokens yet.
package struct TokenDatabase: Sendable {
    /// Enough to say whose it is; a list of tokens stays readable.
    private static let nameBytesMax = 200

    private let database: PlainDatabase

    /// Connects when it is asked something.
    package init(_ configuration: PostgresConfiguration) {
        database = PlainDatabase(configuration, lacking: "table of tokens")
    }

    /// Stores a new token; the same again is no error, as its answer may have been lost.
    ///
    /// - Parameters:
    ///   - id: Of `Token`.
    ///   - name: What it is for, 1 to 200 bytes.
    ///   - hash: SHA-256 of the secret, 32 bytes.
    ///   - expires: Never if absent.
    ///   - grants: What its bearer may do; `nil`: everything.
    /// - Throws: Also `invalid_request`, for another name.
    package func create(
        id: String, name: String, hash: [UInt8], expires: Timestamp?, grants: Grants? = nil
    ) async throws(BrokerError) {
        guard (1...Self.nameBytesMax).contains(name.utf8.count), !name.utf8.contains(0) else {
            throw BrokerError(
                .invalidRequest, "A token's name has 1 to \(Self.nameBytesMax) bytes without NUL.")
        }
        try await database.answer { connection throws(PostgresError) in
            _ = try connection.query(
                """
                INSERT INTO sluice.tokens(id, name, hash, expires_at, grants)
                VALUES ($1::text, $2::text, $3::bytea, $4::timestamptz, $5::jsonb)
                ON CONFLICT (id) DO NOTHING
                """,
                [
                    .text(id), .text(name), .bytes(hash),
                    expires.map { .timestamp(microsecondsSince1970: $0.microseconds) } ?? .null,
                    grants.map { .text(String(decoding: $0.json, as: UTF8.self)) } ?? .null,
                ], timeout: LogContext.controlTimeout)
        }
    }

    /// Stores a token that never expires, in a database that has none and never had one.
    ///
    /// However many ask at the same time, one of them succeeds.
    /// - Returns: Whether it was stored.
    package func createFirst(id: String, name: String, hash: [UInt8]) async throws(BrokerError)
        -> Bool
    {
        try await database.answer { connection throws(PostgresError) in
            _ = try connection.query("BEGIN")
            _ = try connection.query(
                "LOCK TABLE sluice.tokens IN SHARE ROW EXCLUSIVE MODE",
                timeout: LogContext.controlTimeout)
            let stored = try connection.query(
                """
                INSERT INTO sluice.tokens(id, name, hash) SELECT $1::text, $2::text, $3::bytea
                WHERE NOT EXISTS (SELECT FROM sluice.tokens) RETURNING id
                """, [.text(id), .text(name), .bytes(hash)], timeout: LogContext.controlTimeout)
            _ = try connection.query("COMMIT", timeout: LogContext.controlTimeout)
            return stored.rowCount > 0
        }
    }

    /// Removes a token that nobody was told of, as if it had never been.
    package func forget(id: String) async throws(BrokerError) {
        try await database.answer { connection throws(PostgresError) in
            _ = try connection.query(
                "DELETE FROM sluice.tokens WHERE id = $1::text", [.text(id)],
                timeout: LogContext.controlTimeout)
        }
    }

    /// Every token, the newest first; also those that were revoked or have expired.
    package func list() async throws(BrokerError) -> [TokenRecord] {
        try await database.answer { connection throws(PostgresError) in
            let result = try connection.query(
                "SELECT \(TokenRecord.columns) FROM sluice.tokens ORDER BY created_at DESC, id",
                timeout: LogContext.controlTimeout)
            return (0..<result.rowCount).map { TokenRecord(in: result, $0) }
        }
    }

    /// Ends a token.
    ///
    /// - Returns: `false`: there is none of this id, or it was revoked before.
    package func revoke(id: String) async throws(BrokerError) -> Bool {
        try await database.answer { connection throws(PostgresError) in
            try connection.query(
                """
                UPDATE sluice.tokens SET revoked_at = clock_timestamp()
                WHERE id = $1::text AND revoked_at IS NULL RETURNING id
                """, [.text(id)], timeout: LogContext.controlTimeout
            ).rowCount > 0
        }
    }
}

extension TokenRecord {
    /// What `init(in:_:)` reads.
    static let columns = "id, name, hash, created_at, expires_at, revoked_at, grants::text"

    /// What nobody can read grants nothing.
    private static func grants(in result: PostgresResult, _ row: Int) -> Grants {
        guard !result.isNull(row, 6) else { return .everything }
        return (try? Grants(json: Array(result.text(row, 6).utf8))) ?? .nothing
    }

    init(in result: PostgresResult, _ row: Int) {
        func time(_ column: Int) -> Timestamp? {
            result.isNull(row, column)
                ? nil : Timestamp(microseconds: result.timestamp(row, column))
        }
        self.init(
            id: result.text(row, 0), name: result.text(row, 1), hash: result.bytes(row, 2),
            created: Timestamp(microseconds: result.timestamp(row, 3)), expires: time(4),
            revoked: time(5), grants: Self.grants(in: result, row))
    }
}
