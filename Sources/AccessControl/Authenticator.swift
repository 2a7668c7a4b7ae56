package import EventModel
internal import Synchronization

/// Checks a token; answers once, on any thread, and at once when the token is known already.
///
/// Where there is none, there is no access control.
package typealias Authenticate = @Sendable (String, @escaping Authenticator.Completion) -> Void

/// Tells who sends a token, mostly without a question to the database.
package final class Authenticator: Sendable {
    package typealias Completion = @Sendable (Result<Identity, BrokerError>) -> Void

    fileprivate struct State {
        var cache: TokenCache
        /// Requests whose token is being looked up, by its id.
        var waiting: [String: [Waiter]] = [:]
    }

    fileprivate struct Waiter {
        var token: Token
        var completion: Completion
    }

    private let store: any TokenStore
    private let digest: @Sendable ([UInt8]) -> [UInt8]
    private let clock: @Sendable () -> ContinuousClock.Instant
    private let date: @Sendable () -> Timestamp
    private let lookupsMax: Int
    private let state: Mutex<State>

    /// Makes an authenticator with an empty cache.
    ///
    /// - Parameters:
    ///   - store: Asked on a miss.
    ///   - limits: Of the cache, and of look-ups at a time.
    ///   - digest: SHA-256.
    ///   - clock: For the age of what is cached.
    ///   - date: For the expiry of tokens.
    package init(
        store: any TokenStore, limits: Limits = Limits(),
        digest: @escaping @Sendable ([UInt8]) -> [UInt8],
        clock: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        date: @escaping @Sendable () -> Timestamp
    ) {
        self.store = store
        self.digest = digest
        self.clock = clock
        self.date = date
        lookupsMax = limits.tokenLookupsMax
        state = Mutex(State(cache: TokenCache(limits)))
    }

    /// Verifies a token as the client sent it.
    ///
    /// Answers once: at once, on the caller's thread, when the token was looked up within the last
    /// half minute; otherwise on any. Errors: `unauthorized`; `database_unavailable` (retry).
    package func authenticate(_ text: String, completion: @escaping Completion) {
        guard let token = Token(text) else {
            return completion(.failure(Self.refusal("The token is not of the form 'slc_…'.")))
        }
        let waiter = Waiter(token: token, completion: completion)
        let step = state.withLock { $0.admit(waiter, now: clock(), lookupsMax: lookupsMax) }
        switch step {
        case .answer(let known): completion(verdict(on: token, known))
        case .wait: break
        case .refuse:
            completion(
                .failure(BrokerError(.databaseUnavailable, "Too many tokens are being verified.")))
        case .lookUp:
            store.find(id: token.id) { [self] result in found(result, of: token.id) }
        }
    }

    fileprivate enum Step {
        case answer(TokenCache.Known)
        case wait
        case lookUp
        case refuse
    }

    private func found(_ result: Result<TokenRecord?, BrokerError>, of id: String) {
        let waiters = state.withLock { state -> [Waiter] in
            if case .success(let record) = result {
                state.cache.found(record, of: id, now: clock())
            }
            return state.waiting.removeValue(forKey: id) ?? []
        }
        for waiter in waiters {
            waiter.completion(result.flatMap { verdict(on: waiter.token, .init(record: $0)) })
        }
    }

    private func verdict(
        on token: Token, _ known: TokenCache.Known
    ) -> Result<Identity, BrokerError> {
        if known.isProved, let record = known.record { return record.identity(at: date()) }
        // An unknown id costs the same digest and comparison, so that time does not tell which ids
        // exist.
        let hash = digest(Array(token.secret.utf8))
        let expected = known.record?.hash ?? Array(repeating: 0, count: hash.count)
        guard isEqualInConstantTime(hash.span, expected.span), let record = known.record else {
            return .failure(Self.refusal("The token is not known."))
        }
        state.withLock { $0.cache.proved(token, by: record) }
        return record.identity(at: date())
    }

    private static func refusal(_ message: String) -> BrokerError {
        BrokerError(.unauthorized, message)
    }
}

extension Authenticator.State {
    fileprivate mutating func admit(
        _ waiter: Authenticator.Waiter, now: ContinuousClock.Instant, lookupsMax: Int
    ) -> Authenticator.Step {
        if let known = cache.known(of: waiter.token, now: now) { return .answer(known) }
        let id = waiter.token.id
        if waiting[id] != nil {
            waiting[id]?.append(waiter)
            return .wait
        }
        guard waiting.count < lookupsMax else { return .refuse }
        waiting[id] = [waiter]
        return .lookUp
    }
}
