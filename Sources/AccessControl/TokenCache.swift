internal import EventModel

/// What was found out about tokens lately: bounded in number and age.
///
/// Only what was asked of the store is here, by id. The secret of each request is compared with the
/// cached hash, so a wrong secret is never let in by the cache, nor does it push a right one out.
struct TokenCache: Sendable {
    private let limits: Limits
    private struct Entry {
        var record: TokenRecord?
        var until: ContinuousClock.Instant
    }

    private var known: [String: Entry] = [:]
    private var unknown: [String: Entry] = [:]

    init(_ limits: Limits) { self.limits = limits }

    /// `nil`: ask the store.
    ///
    /// `.some(nil)`: there is no such token.
    func record(of id: String, now: ContinuousClock.Instant) -> TokenRecord?? {
        if let entry = known[id], now < entry.until { return .some(entry.record) }
        if let entry = unknown[id], now < entry.until { return .some(nil) }
        return nil
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
