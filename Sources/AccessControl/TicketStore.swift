package import EventModel

/// Where tickets wait for their use, which nodes share; by the SHA-256 of their secrets.
///
/// `DurableLog` implements it on PostgreSQL. Completions are called once, on any thread.
package protocol TicketStore: Sendable {
    /// Keeps a ticket of a token's for `Limits.ticketLife`, and tells until when.
    ///
    /// `rate_limited` for a token that has `Limits.ticketsMax` of them already.
    func issue(
        ticket hash: [UInt8], of tokenID: String,
        completion: @escaping @Sendable (Result<Timestamp, BrokerError>) -> Void)

    /// Takes a ticket away; `nil` if there is none.
    ///
    /// However many ask on however many nodes, one of them gets it.
    func redeem(
        ticket hash: [UInt8],
        completion: @escaping @Sendable (Result<RedeemedTicket?, BrokerError>) -> Void)
}

/// A ticket that was taken from the store.
package struct RedeemedTicket: Hashable, Sendable {
    /// The token that it was issued to, as it is now.
    package var token: TokenRecord
    package var expires: Timestamp
    /// By the clock that made `expires`.
    package var isExpired: Bool

    package init(token: TokenRecord, expires: Timestamp, isExpired: Bool) {
        self.token = token
        self.expires = expires
        self.isExpired = isExpired
    }
}
