package import AccessControl
package import EventModel
internal import PostgresBridge

/// Tokens in `sluice.tokens`, for authentication; `TokenDatabase` manages them.
///
/// They do not belong to an incarnation: a failover keeps them.
extension PostgresLog: TokenStore {
    package func find(
        id: String, completion: @escaping @Sendable (Result<TokenRecord?, BrokerError>) -> Void
    ) {
        reader.ask(
            LogReader.Question { connection, _ throws(PostgresError) in
                let result = try connection.query(
                    "SELECT \(TokenRecord.columns) FROM sluice.tokens WHERE id = $1::text",
                    [.text(id)], timeout: LogContext.controlTimeout)
                completion(.success(result.rowCount == 0 ? nil : TokenRecord(in: result, 0)))
            } fail: {
                completion(.failure($0))
            })
    }
}
