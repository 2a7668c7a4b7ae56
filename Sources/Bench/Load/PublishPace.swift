/// When a benchmark's events are published.
package enum PublishPace: Equatable, Sendable {
    /// So many a second, whether or not the broker keeps up (no coordinated omission).
    case rate(Double)
    /// So many are under way at a time: the next is sent when one has arrived everywhere.
    case outstanding(Int)

    /// A session's publishes may wait for their outcome in this number (`publishes_in_flight`).
    static let unansweredMax = 1000

    /// When the event of this number is to be sent, in ns from the beginning; `nil`: when it is its
    /// turn.
    func due(_ number: Int) -> UInt64? {
        guard case .rate(let rate) = self else { return nil }
        return UInt64(Double(number) * 1e9 / rate)
    }

    /// Whether the next event is to be sent now, `elapsed` ns after the beginning.
    ///
    /// Of those that were `sent`, the outcome of so many is known (`answered`), and so many have
    /// arrived everywhere (`through`).
    func isDue(sent: Int, answered: Int, through: Int, elapsed: UInt64) -> Bool {
        guard sent - answered < Self.unansweredMax else { return false }
        switch self {
        case .rate: return due(sent).map { $0 <= elapsed } ?? false
        case .outstanding(let count): return sent - min(answered, through) < count
        }
    }
}
