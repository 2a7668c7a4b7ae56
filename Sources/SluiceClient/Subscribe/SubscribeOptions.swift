internal import EventModel
internal import Filtering

/// How a subscription is delivered.
public struct SubscribeOptions: Equatable, Sendable {
    /// What the broker does when the subscriber is too slow for what waits for it.
    public enum Overflow: String, CaseIterable, Sendable {
        /// It is fed from the log at its own pace, and misses nothing.
        case replay
        /// The newest event of each key waits; what it replaced is told as a gap.
        case conflate
        /// The oldest events are dropped, and told as a gap.
        case dropOldest = "drop_oldest"
        /// The connection ends, and the next one goes on from where it stands.
        case disconnect
    }

    /// `nil`: each topic's own, and else `replay`.
    public var overflow: Overflow?
    /// Events a second of each topic, at least 1, of which the newest of each key are kept; `nil`:
    /// no bound.
    public var maxRate: Int?
    /// Events that the broker may send ahead of what was taken from the iterator, at least 1.
    ///
    /// `nil` is a number that costs no speed, and fewer where events are large. From a broker that
    /// does not know credit, a subscription without a number of its own takes what 4 MiB hold, and
    /// goes on from the log when that is taken; with a number such a broker refuses it.
    public var credit: Int?
    /// Which events come, like `$.price > 100 && $.symbol == "ACME"` (doc:Filters); `nil`: all.
    ///
    /// What is left out is no gap. The subscription goes on behind it after a lost connection, and
    /// tells how far it is by `SubscriptionNotice.progress`.
    public var filter: String?
    /// Whether several events may come in one WebSocket message, which costs less where many come.
    ///
    /// What the iterator gives is the same.
    public var isBatched: Bool

    /// Makes options; without arguments those that a subscription has anyway.
    public init(
        overflow: Overflow? = nil, maxRate: Int? = nil, credit: Int? = nil, filter: String? = nil,
        isBatched: Bool = false
    ) {
        self.overflow = overflow
        self.maxRate = maxRate
        self.credit = credit
        self.filter = filter
        self.isBatched = isBatched
    }
}

extension SubscribeOptions {
    /// - Throws: `invalid_request` for numbers that a broker would refuse, and `invalid_filter`
    ///   but for the length, which is the broker's to say.
    func checked() throws(SluiceError) -> SubscriptionOptions {
        try Self.check(maxRate, "maximal rate")
        try Self.check(credit, "credit")
        if let filter {
            do { _ = try EventFilter(filter, bytesMax: .max) } catch { throw SluiceError(error) }
        }
        return SubscriptionOptions(
            overflow: overflow.flatMap { OverflowPolicy(rawValue: $0.rawValue) }, maxRate: maxRate,
            credit: credit.map { Int64($0) })
    }

    static func check(_ number: Int?, _ what: String) throws(SluiceError) {
        guard let number, !(1...Int(Limits.integerMax)).contains(number) else { return }
        throw SluiceError(
            .invalid, code: "invalid_request", "A \(what) can't be \(number).",
            remedy: "Give a number from 1 to \(Limits.integerMax), or none.")
    }
}
