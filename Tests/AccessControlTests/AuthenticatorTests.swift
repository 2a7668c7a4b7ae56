import RepeatableChance
import AccessControl
import EventModel
import Synchronization
import Testing

@Suite("Authentication") struct AuthenticatorTests {
    let store = MemoryTokens()
    let token: Token

    init() {
        var random = SeededGenerator(seed: 1)
        token = Token(using: &random)
        store.records.withLock { $0[token.id] = Self.record(token) }
    }

    static func record(_ token: Token) -> TokenRecord {
        TokenRecord(
            id: token.id, name: "test", hash: digest(Array(token.secret.utf8)),
            created: Timestamp(microseconds: 0))
    }

    /// Not SHA-256, but as good for a test.
    @Sendable static func digest(_ bytes: [UInt8]) -> [UInt8] { bytes.map { $0 ^ 0x5A } }

    func authenticator(now: @escaping @Sendable () -> ContinuousClock.Instant = { .now })
        -> Authenticator
    {
        Authenticator(
            store: store, digest: Self.digest, clock: now, date: { Timestamp(microseconds: 1000) })
    }

    func outcome(_ authenticator: Authenticator, _ text: String) -> Result<Identity, BrokerError>? {
        let answer = Mutex<Result<Identity, BrokerError>?>(nil)
        authenticator.authenticate(text) { result in answer.withLock { $0 = result } }
        return answer.withLock { $0 }
    }

    func code(_ authenticator: Authenticator, _ text: String) -> String? {
        switch outcome(authenticator, text) {
        case .success(let identity): identity.name
        case .failure(let error): error.code.rawValue
        case nil: nil
        }
    }

    @Test func `asks the store once in half a minute`() {
        let start = ContinuousClock.now
        let clock = SharedClock(start)
        let authenticator = authenticator { clock.now }
        for _ in 1...5 { #expect(code(authenticator, token.text) == "test") }
        #expect(store.lookups == 1)
        clock.advance(by: .seconds(31))
        #expect(code(authenticator, token.text) == "test")
        #expect(store.lookups == 2)
    }

    @Test func `believes, remembers and asks no more than its limits allow`() {
        var limits = Limits()
        limits.tokenAge = .seconds(2)
        limits.tokenLookupsMax = 1
        let clock = SharedClock(.now)
        let authenticator = Authenticator(
            store: store, limits: limits, digest: Self.digest, clock: { clock.now },
            date: { Timestamp(microseconds: 1000) })
        #expect(code(authenticator, token.text) == "test")
        clock.advance(by: .seconds(3))
        store.isHolding.withLock { $0 = true }
        authenticator.authenticate(token.text) { _ in }
        #expect(store.lookups == 2)
        var random = SeededGenerator(seed: 2)
        #expect(code(authenticator, Token(using: &random).text) == "database_unavailable")
        store.release()
    }

    @Test func `refuses a wrong secret, also of a token that it knows`() {
        let authenticator = authenticator()
        var random = SeededGenerator(seed: 2)
        let other = Token(using: &random)
        let forged = "slc_\(token.id)_\(other.secret)"
        #expect(code(authenticator, forged) == "unauthorized")
        #expect(code(authenticator, token.text) == "test")
        #expect(code(authenticator, forged) == "unauthorized")
        #expect(store.lookups == 1)
    }

    @Test func `remembers unknown tokens for five seconds`() {
        let clock = SharedClock(.now)
        let authenticator = authenticator { clock.now }
        var random = SeededGenerator(seed: 3)
        let unknown = Token(using: &random)
        for _ in 1...5 { #expect(code(authenticator, unknown.text) == "unauthorized") }
        #expect(store.lookups == 1)
        store.records.withLock { $0[unknown.id] = Self.record(unknown) }
        clock.advance(by: .seconds(6))
        #expect(code(authenticator, unknown.text) == "test")
    }

    @Test func `refuses tokens that were revoked or have expired`() {
        store.records.withLock { $0[token.id]?.revoked = Timestamp(microseconds: 1) }
        #expect(code(authenticator(), token.text) == "unauthorized")
        store.records.withLock {
            $0[token.id]?.revoked = nil
            $0[token.id]?.expires = Timestamp(microseconds: 1000)
        }
        #expect(code(authenticator(), token.text) == "unauthorized")
        store.records.withLock { $0[token.id]?.expires = Timestamp(microseconds: 1001) }
        #expect(code(authenticator(), token.text) == "test")
    }

    @Test func `says that the store is away, and asks again next time`() {
        let authenticator = authenticator()
        store.failure.withLock { $0 = BrokerError(.databaseUnavailable, "away") }
        #expect(code(authenticator, token.text) == "database_unavailable")
        store.failure.withLock { $0 = nil }
        #expect(code(authenticator, token.text) == "test")
    }

    @Test func `asks once for all who wait`() {
        store.isHolding.withLock { $0 = true }
        let authenticator = authenticator()
        let answers = Mutex(0)
        for _ in 1...10 {
            authenticator.authenticate(token.text) { _ in answers.withLock { $0 += 1 } }
        }
        #expect(answers.withLock { $0 } == 0)
        store.release()
        #expect(answers.withLock { $0 } == 10)
        #expect(store.lookups == 1)
    }

    @Test func `refuses what is no token without a question`() {
        #expect(code(authenticator(), "secret") == "unauthorized")
        #expect(store.lookups == 0)
    }
}

final class SharedClock: Sendable {
    private let time: Mutex<ContinuousClock.Instant>

    init(_ start: ContinuousClock.Instant) { time = Mutex(start) }

    var now: ContinuousClock.Instant { time.withLock { $0 } }

    func advance(by duration: Duration) { time.withLock { $0 += duration } }
}

final class MemoryTokens: TokenStore {
    let records = Mutex<[String: TokenRecord]>([:])
    let failure = Mutex<BrokerError?>(nil)
    let isHolding = Mutex(false)
    private let held = Mutex<[@Sendable () -> Void]>([])
    private let count = Mutex(0)

    var lookups: Int { count.withLock { $0 } }

    func revoked(among ids: Set<String>) async throws(BrokerError) -> Set<String> { [] }

    func find(
        id: String, completion: @escaping @Sendable (Result<TokenRecord?, BrokerError>) -> Void
    ) {
        count.withLock { $0 += 1 }
        if let error = failure.withLock({ $0 }) { return completion(.failure(error)) }
        let record = records.withLock { $0[id] }
        if isHolding.withLock({ $0 }) {
            held.withLock { $0.append { completion(.success(record)) } }
        } else {
            completion(.success(record))
        }
    }

    func release() {
        for answer in held.withLock({ $0 }) { answer() }
    }
}
