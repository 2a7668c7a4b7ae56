package import EventModel
internal import Synchronization

/// Issues tickets, and tells who comes with one (doc:HTTP, Tickets).
package final class TicketOffice: Sendable {
    /// Questions to the store under way.
    private struct Load {
        var issues = 0
        var redemptions = 0
    }

    /// Issues at a time: each is a statement on the connection that all tokens are looked up on.
    private static let issuesMax = 100

    private let store: any TicketStore
    private let digest: @Sendable ([UInt8]) -> [UInt8]
    private let date: @Sendable () -> Timestamp
    private let makeTicket: @Sendable () -> Ticket
    private let redemptionsMax: Int
    private let load = Mutex(Load())

    /// - Parameters:
    ///   - store: Keeps the tickets.
    ///   - limits: Of questions at a time.
    ///   - digest: SHA-256.
    ///   - date: For the expiry of tokens.
    ///   - makeTicket: A new one each time, from a generator that is fit for secrets.
    package init(
        store: any TicketStore, limits: Limits = Limits(),
        digest: @escaping @Sendable ([UInt8]) -> [UInt8],
        date: @escaping @Sendable () -> Timestamp, makeTicket: @escaping @Sendable () -> Ticket
    ) {
        self.store = store
        self.digest = digest
        self.date = date
        self.makeTicket = makeTicket
        redemptionsMax = limits.tokenLookupsMax
    }

    /// A ticket and its end.
    package typealias Issued = (ticket: Ticket, expires: Timestamp)

    /// Issues a ticket with all that the identity may do.
    ///
    /// Answers once, on any thread. Without access control, where `identity` is `nil`, it is as
    /// good as any other text. Errors: `rate_limited`, `database_unavailable` (retry).
    package func issue(
        to identity: Identity?,
        completion: @escaping @Sendable (Result<Issued, BrokerError>) -> Void
    ) {
        let ticket = makeTicket()
        guard let identity else {
            return completion(.success((ticket, date().advanced(by: Limits.ticketLife))))
        }
        guard enter(\.issues, most: Self.issuesMax) else {
            return completion(
                .failure(BrokerError(.rateLimited, "Too many tickets are being issued.")))
        }
        store.issue(ticket: hash(ticket), of: identity.tokenID) { [self] result in
            leave(\.issues)
            completion(result.map { (ticket, $0) })
        }
    }

    /// Verifies a ticket as the client sent it, and uses it up.
    ///
    /// Answers once, on any thread. Errors: `unauthorized`; `database_unavailable` (retry).
    package func redeem(_ text: String, completion: @escaping Authenticator.Completion) {
        guard let ticket = Ticket(text) else {
            return completion(.failure(Self.refusal("The ticket is not of the form 'slt_…'.")))
        }
        guard enter(\.redemptions, most: redemptionsMax) else {
            return completion(
                .failure(BrokerError(.databaseUnavailable, "Too many tickets are being verified.")))
        }
        store.redeem(ticket: hash(ticket)) { [self] result in
            leave(\.redemptions)
            completion(result.flatMap(verdict))
        }
    }

    private func verdict(on redeemed: RedeemedTicket?) -> Result<Identity, BrokerError> {
        guard let redeemed else {
            return .failure(
                Self.refusal("The ticket is not known: it was used, or it expired long ago."))
        }
        guard !redeemed.isExpired else {
            return .failure(Self.refusal("The ticket expired at \(redeemed.expires)."))
        }
        return redeemed.token.identity(at: date())
    }

    private func hash(_ ticket: Ticket) -> [UInt8] { digest(Array(ticket.secret.utf8)) }

    private func enter(_ count: WritableKeyPath<Load, Int>, most: Int) -> Bool {
        load.withLock { load in
            guard load[keyPath: count] < most else { return false }
            load[keyPath: count] += 1
            return true
        }
    }

    private func leave(_ count: WritableKeyPath<Load, Int>) {
        load.withLock { $0[keyPath: count] -= 1 }
    }

    private static func refusal(_ message: String) -> BrokerError {
        BrokerError(
            .unauthorized, message,
            remedy: "Get a new one with POST /v1/tickets; it opens one request, within 30 s.")
    }
}
