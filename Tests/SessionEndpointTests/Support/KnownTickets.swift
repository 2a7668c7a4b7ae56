import AccessControl
import EventModel
import Synchronization
import WallClock

/// Some tickets of the token `good`, each good once.
final class KnownTickets: TicketStore {
    private let expires: Timestamp?
    private let left: Mutex<Set<[UInt8]>>

    init(_ hashes: Set<[UInt8]>, expires: Timestamp?) {
        self.expires = expires
        left = Mutex(hashes)
    }

    func issue(
        ticket hash: [UInt8], of tokenID: String,
        completion: @escaping @Sendable (Result<Timestamp, BrokerError>) -> Void
    ) {
        completion(.failure(BrokerError(.internal, "none is issued here")))
    }

    func redeem(
        ticket hash: [UInt8],
        completion: @escaping @Sendable (Result<RedeemedTicket?, BrokerError>) -> Void
    ) {
        guard left.withLock({ $0.remove(hash) != nil }) else { return completion(.success(nil)) }
        let now = Timestamp.now
        let token = TokenRecord(id: "good", name: "good", hash: [], created: now, expires: expires)
        completion(.success(RedeemedTicket(token: token, expires: now, isExpired: false)))
    }
}

extension TicketOffice {
    /// Knows no ticket.
    static let none = TicketOffice.of([], expires: nil)

    /// Knows the tickets `text` of these names, of a token that ends then.
    static func of(_ names: [String], expires: Timestamp?) -> TicketOffice {
        let hashes = names.map { Array(text($0).dropFirst(4).utf8) }
        return TicketOffice(
            store: KnownTickets(Set(hashes), expires: expires), digest: { $0 },
            date: { Timestamp.now },
            makeTicket: { preconditionFailure("bug: none is issued here") })
    }

    /// A ticket of 40 times a letter.
    static func text(_ name: String) -> String { "slt_" + String(repeating: name, count: 40) }
}
