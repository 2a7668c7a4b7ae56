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
        try await tokenReader.answer { connection, _ throws(PostgresError) in
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
        try await tokenReader.answer { connection, _ throws(PostgresError) in
            let result = try connection.query(
                "SELECT \(Self.columns) FROM sluice.tokens ORDER BY created_at DESC, id",
                timeout: LogContext.controlTimeout)
            return (0..<result.rowCount).map { Self.record(in: result, $0) }
        }
    }

    package func revoke(id: String) async throws(BrokerError) -> Bool {
        try await tokenReader.answer { connection, _ throws(PostgresError) in
            try connection.query(
                """
                UPDATE sluice.tokens SET revoked_at = clock_timestamp()
                WHERE id = $1::text AND revoked_at IS NULL RETURNING id
                """, [.text(id)], timeout: LogContext.controlTimeout
            ).rowCount > 0
        }
    }

    /// All that wait are looked up together.
    ///
    /// So a flood of unknown tokens delays a known one by one statement. The authenticator bounds
    /// their number.
    package func find(
        id: String, completion: @escaping @Sendable (Result<TokenRecord?, BrokerError>) -> Void
    ) {
        let lookup = TokenLookup(id: id, completion: completion)
        guard let shared = lookups.join(.token, lookup) else { return }
        tokenReader.ask(
            LogReader.Question { [lookups] connection, _ throws(PostgresError) in
                let asked = lookups.close(shared)
                let result = try connection.query(
                    "SELECT \(Self.columns) FROM sluice.tokens WHERE id = ANY ($1::text[])",
                    [.textArray(asked.map(\.id))], timeout: LogContext.controlTimeout)
                var found: [String: TokenRecord] = [:]
                for row in 0..<result.rowCount {
                    let record = Self.record(in: result, row)
                    found[record.id] = record
                }
                for lookup in asked { lookup.completion(.success(found[lookup.id])) }
            } fail: { [lookups] error in
                for lookup in lookups.close(shared) { lookup.completion(.failure(error)) }
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

/// Who waits for a token.
struct TokenLookup: Sendable {
    /// All look-ups are one question.
    enum Key {
        case token
    }

    var id: String
    var completion: @Sendable (Result<TokenRecord?, BrokerError>) -> Void
}
