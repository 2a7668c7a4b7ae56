import AccessControl
import EventModel
import RepeatableChance
import Synchronization
import Testing

@Suite("A ticket") struct TicketTests {
    @Test func `is parsed as it was made`() {
        var random = SeededGenerator(seed: 7)
        let ticket = Ticket(using: &random)
        #expect(ticket.text.utf8.count == 4 + 40)
        #expect(Ticket(ticket.text) == ticket)
        #expect(Ticket(using: &random) != ticket)
    }

    @Test(arguments: [
        "", "slt_", "slt_" + String(repeating: "a", count: 39),
        "slt_" + String(repeating: "a", count: 41), "slt_" + String(repeating: "-", count: 40),
        "SLT_" + String(repeating: "a", count: 40),
        "slc_0123456789_" + String(repeating: "a", count: 40),
    ])
    func `of another form is refused`(_ text: String) {
        #expect(Ticket(text) == nil)
    }

    @Test func `does not show its secret`() {
        var random = SeededGenerator(seed: 7)
        let ticket = Ticket(using: &random)
        let shown =
            "\(ticket) \(String(reflecting: ticket)) \(Credential.ticket(ticket.text)) "
            + String(reflecting: Credential.token(ticket.text))
        #expect(!shown.contains(ticket.secret))
    }
}

@Suite("The credential of a request") struct CredentialTests {
    @Test(
        arguments: [
            ([], nil, [], nil), (["Bearer a"], nil, [], .token("a")), ([], "b", [], .token("b")),
            (["Bearer a"], "b", [], .token("a")), ([], nil, ["t"], .ticket("t")),
        ] as [([String], String?, [String], Credential?)])
    func `is the header's token, the offered one or a ticket`(
        fields: [String], offered: String?, tickets: [String], credential: Credential?
    ) throws {
        let found = try Credential.find(
            authorization: fields, offered: offered, tickets: tickets)
        #expect(found == credential)
    }

    @Test(
        arguments: [
            (["Bearer a"], nil, ["t"], .invalidRequest), ([], "b", ["t"], .invalidRequest),
            ([], nil, ["t", "t"], .unauthorized), (["Basic a"], nil, [], .unauthorized),
        ] as [([String], String?, [String], ErrorCode)])
    func `is one, and of a known form`(
        fields: [String], offered: String?, tickets: [String], code: ErrorCode
    ) {
        let error = #expect(throws: BrokerError.self) {
            try Credential.find(authorization: fields, offered: offered, tickets: tickets)
        }
        #expect(error?.code == code)
    }
}

@Suite("The office of tickets") struct TicketOfficeTests {
    private let store = MemoryTickets()
    private let office: TicketOffice
    private let identity = Identity(tokenID: "t1", name: "page", expires: nil)

    init() {
        let random = Mutex(SeededGenerator(seed: 1))
        office = TicketOffice(
            store: store, digest: AuthenticatorTests.digest,
            date: { Timestamp(microseconds: 1000) },
            makeTicket: { random.withLock { Ticket(using: &$0) } })
    }

    private func issue(to identity: Identity?) -> Result<TicketOffice.Issued, BrokerError>? {
        let answer = Mutex<Result<TicketOffice.Issued, BrokerError>?>(nil)
        office.issue(to: identity) { result in answer.withLock { $0 = result } }
        return answer.withLock { $0 }
    }

    private func redeem(_ text: String) -> Result<Identity, BrokerError>? {
        let answer = Mutex<Result<Identity, BrokerError>?>(nil)
        office.redeem(text) { result in answer.withLock { $0 = result } }
        return answer.withLock { $0 }
    }

    private func refusal(_ text: String) -> BrokerError? {
        if case .failure(let error) = redeem(text) { error } else { nil }
    }

    @Test func `lets its ticket in once, as who it was issued to`() throws {
        let issued = try #require(try issue(to: identity)?.get())
        #expect(issued.expires == MemoryTickets.expires)
        #expect(try redeem(issued.ticket.text)?.get() == identity)
        let error = try #require(refusal(issued.ticket.text))
        #expect(error.code == .unauthorized && error.message.contains("it was used"))
        #expect(error.remedy.contains("POST /v1/tickets"))
        #expect(!"\(error)".contains(issued.ticket.secret))
    }

    @Test func `keeps only what the digest makes of a ticket`() throws {
        let issued = try #require(try issue(to: identity)?.get())
        let hash = AuthenticatorTests.digest(Array(issued.ticket.secret.utf8))
        #expect(store.records.withLock { Array($0.keys) } == [hash])
    }

    @Test func `says that a ticket is too old, of another form, or of a token that ended`() throws {
        let issued = try #require(try issue(to: identity)?.get())
        let made = store.records.withLock { $0 }
        func refused(_ change: (inout RedeemedTicket) -> Void) -> String? {
            store.records.withLock {
                $0 = made.mapValues {
                    var new = $0; change(&new); return new
                }
            }
            return refusal(issued.ticket.text)?.message
        }
        #expect(refused { $0.isExpired = true }?.hasPrefix("The ticket expired at ") == true)
        #expect(
            refused { $0.token.revoked = Timestamp(microseconds: 1) } == "The token was revoked.")
        #expect(
            refused { $0.token.expires = Timestamp(microseconds: 1000) }?
                .hasPrefix("The token expired at ") == true)
        #expect(refusal("slc_x")?.message.contains("form") == true)
    }

    @Test func `says that the store is away`() throws {
        store.failure.withLock { $0 = BrokerError(.databaseUnavailable, "away") }
        guard case .failure(let error) = issue(to: identity) else {
            Issue.record("it was issued")
            return
        }
        #expect(error.code == .databaseUnavailable)
        #expect(
            refusal("slt_" + String(repeating: "a", count: 40))?.code == .databaseUnavailable)
    }

    @Test func `asks the store no more than it may at a time`() {
        store.isHolding.withLock { $0 = true }
        let refused = Mutex<[ErrorCode]>([])
        for _ in 1...101 {
            office.issue(to: identity) { result in
                if case .failure(let error) = result { refused.withLock { $0.append(error.code) } }
            }
        }
        #expect(refused.withLock { $0 } == [.rateLimited])
    }

    @Test func `issues without access control what nobody keeps`() throws {
        let issued = try #require(try issue(to: nil)?.get())
        #expect(issued.expires == Timestamp(microseconds: 30_001_000))
        #expect(store.records.withLock { $0.isEmpty })
    }
}

final class MemoryTickets: TicketStore {
    static let expires = Timestamp(microseconds: 30_000_000)

    let records = Mutex<[[UInt8]: RedeemedTicket]>([:])
    let failure = Mutex<BrokerError?>(nil)
    /// Answers nobody.
    let isHolding = Mutex(false)

    func issue(
        ticket hash: [UInt8], of tokenID: String,
        completion: @escaping @Sendable (Result<Timestamp, BrokerError>) -> Void
    ) {
        if isHolding.withLock({ $0 }) { return }
        if let error = failure.withLock({ $0 }) { return completion(.failure(error)) }
        let token = TokenRecord(
            id: tokenID, name: "page", hash: [], created: Timestamp(microseconds: 0))
        records.withLock {
            $0[hash] = RedeemedTicket(token: token, expires: Self.expires, isExpired: false)
        }
        completion(.success(Self.expires))
    }

    func redeem(
        ticket hash: [UInt8],
        completion: @escaping @Sendable (Result<RedeemedTicket?, BrokerError>) -> Void
    ) {
        if let error = failure.withLock({ $0 }) { return completion(.failure(error)) }
        completion(.success(records.withLock { $0.removeValue(forKey: hash) }))
    }
}
