internal import EventModel

/// What was found out about tokens lately: bounded in number and age.
///
/// Only what was asked of the store is here, by id. The secret of each request is compared with the
/// cached hash, so a wrong secret is never let in by the cache, nor does it push a right one out.
///
/// A secret that was right stays beside its record, in memory as in the requests that bring it: who
/// sends it again, as publishers do with each event, costs a comparison and no digest.
struct TokenCache: Sendable {
    private let limits: Limits
    private struct Entry {
        var record: TokenRecord?
        var until: ContinuousClock.Instant
        var provedSecret: String?
    }

    /// What is known of a token that was sent.
    struct Known {
        /// `nil`: there is no such token.
        var record: TokenRecord?
        /// Its secret was compared with the record before.
        var isProved = false
    }

    private var known: [String: Entry] = [:]
    private var unknown: [String: Entry] = [:]

    init(_ limits: Limits) { self.limits = limits }

    /// `nil`: ask the store.
    func known(of token: Token, now: ContinuousClock.Instant) -> Known? {
        if let entry = known[token.id], now < entry.until {
            let isProved = entry.provedSecret.map {
                isEqualInConstantTime($0.utf8Span.span, token.secret.utf8Span.span)
            }
            return Known(record: entry.record, isProved: isProved ?? false)
        }
        if let entry = unknown[token.id], now < entry.until { return Known() }
        return nil
    }

    /// The token's secret is the one that the record is of.
    mutating func proved(_ token: Token, by record: TokenRecord) {
        guard let index = known.index(forKey: token.id), known.values[index].record == record
        else { return }
        known.values[index].provedSecret = token.secret
    }

    mutating func found(_ record: TokenRecord?, of id: String, now: ContinuousClock.Instant) {
        if let record {
            unknown[id] = nil
            Self.makeRoom(in: &known, for: id, max: limits.tokensKnownMax, now: now)
            // A revoked token opens nothing for longer than this; what it opened meanwhile ends
            // with the next look at the tokens in use.
            known[id] = Entry(record: record, until: now + limits.tokenAge)
        } else {
            known[id] = nil
            Self.makeRoom(in: &unknown, for: id, max: limits.tokensKnownMax, now: now)
            unknown[id] = Entry(record: nil, until: now + limits.unknownTokenAge)
        }
    }

    /// Old entries go first; if all are young, all go: cheaper than an order that is needed under
    /// attack only.
    private static func makeRoom(
        in entries: inout [String: Entry], for id: String, max: Int, now: ContinuousClock.Instant
    ) {
        guard entries.count >= max, entries[id] == nil else { return }
        entries = entries.filter { now < $0.value.until }
        if entries.count >= max { entries = [:] }
    }
}
