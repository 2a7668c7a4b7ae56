package import AccessControl
package import EventModel
internal import PostgresBridge

/// Tickets in `sluice.tickets`, on the connection that looks tokens up.
///
/// All times are the database's, as several nodes compare them.
extension PostgresLog: TicketStore {
    /// Issued again after a lost connection it is the same ticket, with a later end.
    package func issue(
        ticket hash: [UInt8], of tokenID: String,
        completion: @escaping @Sendable (Result<Timestamp, BrokerError>) -> Void
    ) {
        tokenReads.ask(
            ReadInbox.Question { connection, _ throws(PostgresError) in
                let result = try connection.query(
                    Self.issueStatement,
                    [
                        .bytes(hash), .text(tokenID),
                        .text("\(Limits.ticketLife.components.seconds) s"),
                        .int8(Int64(Limits.ticketsMax)),
                    ], timeout: LogContext.controlTimeout)
                completion(Self.issued(in: result))
            } fail: {
                completion(.failure($0))
            })
    }

    /// What nobody used is kept for a minute, so that who comes too late is told so.
    private static let issueStatement = """
        WITH swept AS (
          DELETE FROM sluice.tickets WHERE hash = ANY (ARRAY(
            SELECT hash FROM sluice.tickets WHERE expires_at < now() - interval '1 minute'
            ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED))),
        waiting AS (
          SELECT count(*) AS number, min(expires_at) AS soonest FROM sluice.tickets
          WHERE token_id = $2::text AND expires_at > now()),
        issued AS (
          INSERT INTO sluice.tickets(hash, token_id, expires_at)
          SELECT $1::bytea, $2::text, now() + $3::text::interval FROM waiting
          WHERE number < $4::bigint
          ON CONFLICT (hash) DO UPDATE SET expires_at = excluded.expires_at
          RETURNING expires_at)
        SELECT (SELECT expires_at FROM issued), ceil(extract(epoch FROM soonest - now()))::bigint
        FROM waiting
        """

    private static func issued(in result: PostgresResult) -> Result<Timestamp, BrokerError> {
        if !result.isNull(0, 0) {
            return .success(Timestamp(microseconds: result.timestamp(0, 0)))
        }
        return .failure(
            BrokerError(
                .rateLimited, "\(Limits.ticketsMax) tickets of the token wait for their use.",
                remedy: "Use them, or wait as Retry-After says until the oldest one expires.",
                retryAfter: .seconds(result.int8(0, 1))))
    }

    /// All that wait are redeemed together, so a flood of bad ones delays a good one by one
    /// statement.
    ///
    /// When the connection is lost before the answer, they may be used up by a question that nobody
    /// heard the answer to; their clients get other ones.
    package func redeem(
        ticket hash: [UInt8],
        completion: @escaping @Sendable (Result<RedeemedTicket?, BrokerError>) -> Void
    ) {
        let redemption = TicketRedemption(hash: hash, completion: completion)
        guard let shared = redemptions.join(.together, redemption) else { return }
        tokenReads.ask(
            ReadInbox.Question { [redemptions] connection, _ throws(PostgresError) in
                let asked = redemptions.close(shared)
                let result = try connection.query(
                    Self.redeemStatement, [.byteaArray(asked.map(\.hash))],
                    timeout: LogContext.controlTimeout)
                var found: [[UInt8]: RedeemedTicket] = [:]
                for row in 0..<result.rowCount {
                    found[result.bytes(row, 9)] = RedeemedTicket(
                        token: TokenRecord(in: result, row),
                        expires: Timestamp(microseconds: result.timestamp(row, 7)),
                        isExpired: result.bool(row, 8))
                }
                // Of several with the same ticket the first one gets it.
                for redemption in asked {
                    redemption.completion(.success(found.removeValue(forKey: redemption.hash)))
                }
            } fail: { [redemptions] error in
                for redemption in redemptions.close(shared) {
                    redemption.completion(.failure(error))
                }
            })
    }

    private static let redeemStatement = """
        WITH redeemed AS (
          DELETE FROM sluice.tickets WHERE hash = ANY ($1::bytea[])
          RETURNING hash, token_id, expires_at)
        SELECT token.*, redeemed.expires_at, redeemed.expires_at <= now(), redeemed.hash
        FROM redeemed
        JOIN (SELECT \(TokenRecord.columns) FROM sluice.tokens) AS token
          ON token.id = redeemed.token_id
        """
}

/// Who waits for what is known of a ticket.
struct TicketRedemption: Sendable {
    var hash: [UInt8]
    var completion: @Sendable (Result<RedeemedTicket?, BrokerError>) -> Void
}
