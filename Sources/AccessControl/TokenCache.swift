internal import EventModel

/// What was found out about tokens lately: bounded in number and age.
///
/// Only what was asked of the store is here, by id. The secret of each request is compared with the
/// cached hash, so a wrong secret is never let in by the cache, nor does it push a right one out.
struct TokenCache: Sendable {
    /// A revoked token opens nothing for longer than this; what it opened meanwhile ends with the
    /// next look at the tokens in use, at most 30 s later.
    static let knownAge = Duration.seconds(30)
    /// A token works this long after its creation at the latest.
    static let unknownAge = Duration.seconds(5)
    static let knownMax = 10_000
    static let unknownMax = 10_000

    private struct Entry {
        var record: TokenRecord?
        var until: ContinuousClock.Instant
    }

    private var known: [String: Entry] = [:]
    private var unknown: [String: Entry] = [:]

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
            Self.makeRoom(in: &known, for: id, max: Self.knownMax, now: now)
            known[id] = Entry(record: record, until: now + Self.knownAge)
        } else {
            known[id] = nil
            Self.makeRoom(in: &unknown, for: id, max: Self.unknownMax, now: now)
            unknown[id] = Entry(record: nil, until: now + Self.unknownAge)
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
