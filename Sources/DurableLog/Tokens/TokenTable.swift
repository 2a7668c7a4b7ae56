package import AccessControl
package import EventModel
internal import PostgresBridge

/// Tokens in `sluice.tokens`, for authentication; `TokenDatabase` manages them.
///
/// They do not belong to an incarnation: a failover keeps them.
extension PostgresLog: TokenStore {
    package func revoked(among ids: Set<String>) async throws(BrokerError) -> Set<String> {
        let standing = try await tokenReads.answer { connection, _ throws(PostgresError) in
            let result = try connection.query(
                """
                SELECT id FROM sluice.tokens
                WHERE id = ANY ($1::text[]) AND revoked_at IS NULL
                """, [.textArray(Array(ids))], timeout: LogContext.controlTimeout)
            return (0..<result.rowCount).map { result.text($0, 0) }
        }
        return ids.subtracting(standing)
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
        tokenReads.ask(
            ReadInbox.Question { [lookups] connection, _ throws(PostgresError) in
                let asked = lookups.close(shared)
                let result = try connection.query(
                    "SELECT \(TokenRecord.columns) FROM sluice.tokens WHERE id = ANY ($1::text[])",
                    [.textArray(asked.map(\.id))], timeout: LogContext.controlTimeout)
                var found: [String: TokenRecord] = [:]
                for row in 0..<result.rowCount {
                    let record = TokenRecord(in: result, row)
                    found[record.id] = record
                }
                for lookup in asked { lookup.completion(.success(found[lookup.id])) }
            } fail: { [lookups] error in
                for lookup in lookups.close(shared) { lookup.completion(.failure(error)) }
            })
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
