package import AccessControl
package import EventModel
internal import PostgresBridge

/// Tokens in `sluice.tokens`.
///
/// They do not belong to an incarnation: a failover keeps them.
extension PostgresLog: TokenStore {
    private static let nameBytesMax = 200

    package func create(
        id: String, name: String, hash: [UInt8], expires: Timestamp?
    ) async throws(BrokerError) {
        guard (1...Self.nameBytesMax).contains(name.utf8.count), !name.utf8.contains(0) else {
            throw BrokerError(
                .invalidRequest, "A token's name has 1 to \(Self.nameBytesMax) bytes without NUL.")
        }
        try await reader.answer { connection, _ throws(PostgresError) in
            // The same again is no error: its answer may have been lost with a connection.
            _ = try connection.query(
                """
                INSERT INTO sluice.tokens(id, name, hash, expires_at)
                VALUES ($1::text, $2::text, $3::bytea, $4::timestamptz) ON CONFLICT (id) DO NOTHING
                """,
                [
                    .text(id), .text(name), .bytes(hash),
                    expires.map { .timestamp(microsecondsSince1970: $0.microseconds) } ?? .null,
                ], timeout: LogContext.controlTimeout)
        }
    }

    package func list() async throws(BrokerError) -> [TokenRecord] {
        try await reader.answer { connection, _ throws(PostgresError) in
            let result = try connection.query(
                "SELECT \(Self.columns) FROM sluice.tokens ORDER BY created_at DESC, id",
                timeout: LogContext.controlTimeout)
            return (0..<result.rowCount).map { Self.record(in: result, $0) }
        }
    }

    package func revoke(id: String) async throws(BrokerError) -> Bool {
        try await reader.answer { connection, _ throws(PostgresError) in
            try connection.query(
                """
                UPDATE sluice.tokens SET revoked_at = clock_timestamp()
                WHERE id = $1::text AND revoked_at IS NULL RETURNING id
                """, [.text(id)], timeout: LogContext.controlTimeout
            ).rowCount > 0
        }
    }

    package func revoked(among ids: Set<String>) async throws(BrokerError) -> Set<String> {
        let standing = try await reader.answer { connection, _ throws(PostgresError) in
            let result = try connection.query(
                """
                SELECT id FROM sluice.tokens
                WHERE id = ANY ($1::text[]) AND revoked_at IS NULL
                """, [.textArray(Array(ids))], timeout: LogContext.controlTimeout)
            return (0..<result.rowCount).map { result.text($0, 0) }
        }
        return ids.subtracting(standing)
    }

    package func find(
        id: String, completion: @escaping @Sendable (Result<TokenRecord?, BrokerError>) -> Void
    ) {
        reader.ask(
            LogReader.Question { connection, _ throws(PostgresError) in
                let result = try connection.query(
                    "SELECT \(Self.columns) FROM sluice.tokens WHERE id = $1::text", [.text(id)],
                    timeout: LogContext.controlTimeout)
                completion(.success(result.rowCount == 0 ? nil : Self.record(in: result, 0)))
            } fail: {
                completion(.failure($0))
            })
    }

    private static let columns = "id, name, hash, created_at, expires_at, revoked_at"

    private static func record(in result: PostgresResult, _ row: Int) -> TokenRecord {
        func time(_ column: Int) -> Timestamp? {
            result.isNull(row, column)
                ? nil : Timestamp(microseconds: result.timestamp(row, column))
        }
        return TokenRecord(
            id: result.text(row, 0), name: result.text(row, 1), hash: result.bytes(row, 2),
            created: Timestamp(microseconds: result.timestamp(row, 3)), expires: time(4),
            revoked: time(5))
    }
}
