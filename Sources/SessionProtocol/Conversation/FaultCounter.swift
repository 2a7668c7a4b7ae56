import EventModel

/// Counts the client's faults, and the names and patterns that it subscribes to, minute by minute.
struct FaultCounter: Sendable {
    private var minute: ContinuousClock.Instant?
    private var count: Int32 = 0
    private var subscribed: Int32 = 0

    /// - Returns: Were these too many?
    mutating func add(now: ContinuousClock.Instant, faultsPerMinuteMax: Int) -> Bool {
        _ = begin(now)
        count += 1
        return count >= faultsPerMinuteMax
    }

    /// - Returns: When the minute began.
    private mutating func begin(_ now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        if let minute, now < minute + .seconds(60) { return minute }
        minute = now
        count = 0
        subscribed = 0
        return now
    }
}

// Each name and pattern is a question to the log and a place on the event loop, also when it is
// unsubscribed at once.
extension FaultCounter {
    /// How often a session may subscribe to as much as it may hold, within a minute.
    private static let rounds = 6

    /// Counts a subscribe; after one that is refused, all are until the minute is over.
    ///
    /// - Throws: `rate_limited`, with the time until then.
    mutating func addSubscribe(
        of patterns: Int, now: ContinuousClock.Instant, limits: Limits
    ) throws(BrokerError) {
        let begin = begin(now)
        let most = Int32(limits.topicsPerSubscribeMax * Self.rounds)
        guard Int(subscribed) + patterns <= Int(most) else {
            // From here on, refusals are counted.
            subscribed = max(subscribed, most) + 1
            throw BrokerError(
                .rateLimited,
                "The session has subscribed to over \(most) names and patterns within a minute.",
                remedy: "Keep subscriptions, or wait before the next one.",
                retryAfter: begin + .seconds(60) - now)
        }
        subscribed += Int32(patterns)
    }

    /// Whether so many subscribes were refused that the client can't be listening.
    func isFlood(limits: Limits) -> Bool {
        Int(subscribed) >= limits.topicsPerSubscribeMax * Self.rounds + limits.faultsPerMinuteMax
    }
}
