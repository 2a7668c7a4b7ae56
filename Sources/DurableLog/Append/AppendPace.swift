/// How fast the log takes events, and so when whoever was refused had better come again.
package struct AppendPace: Sendable {
    /// Of what was committed lately; `nil` before the first batch.
    private var eventsPerSecond: Double?

    /// The share of the newest batch in the average.
    private static let weight = 0.2
    private static let bounds: ClosedRange<Duration> = .milliseconds(100)...(.seconds(30))

    package init() {}

    /// A batch was committed, so long after it was sent.
    package mutating func committed(_ events: Int, after time: Duration) {
        guard events > 0 else { return }
        let rate = Double(events) / max(time / .seconds(1), 0.000_001)
        eventsPerSecond = eventsPerSecond.map { $0 + (rate - $0) * Self.weight } ?? rate
    }

    /// When half of what waits now will be committed: then there is room, and a reason to come.
    package func retryAfter(waiting events: Int) -> Duration {
        guard let eventsPerSecond else { return .seconds(1) }
        return Self.bounded(.seconds(Double(events) / 2 / eventsPerSecond))
    }

    /// Of a database that has been away for so long: longer, the longer it is.
    package static func retryAfter(awayFor time: Duration) -> Duration {
        max(.seconds(1), bounded(time / 2))
    }

    private static func bounded(_ time: Duration) -> Duration {
        min(max(time, bounds.lowerBound), bounds.upperBound)
    }
}
