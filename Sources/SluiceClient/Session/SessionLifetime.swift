internal import EventModel
internal import SessionProtocol

/// When a session ends with its token, told by the broker's clock and counted by ours.
///
/// Pure.
struct SessionLifetime {
    /// A token is asked for so long before the session ends, or at two thirds of a shorter time.
    static let margin = Duration.seconds(60)

    /// The broker's time and ours, when it said welcome.
    private let began: Timestamp
    private let welcomed: ContinuousClock.Instant
    private var end: ContinuousClock.Instant?

    init(_ welcome: BrokerMessage.Welcome, now: ContinuousClock.Instant) {
        began = welcome.time
        welcomed = now
    }

    /// The broker's time now.
    func time(now: ContinuousClock.Instant) -> Timestamp { began.advanced(by: now - welcomed) }

    /// The broker ends the session at this time, unless another token comes before.
    ///
    /// - Returns: When to get one; `nil` if it does not end, or not later than was known: a token
    ///   that does not last longer is no renewal, and what is tried next is another session.
    mutating func renewal(
        before expires: Timestamp?, now: ContinuousClock.Instant
    ) -> Duration? {
        guard let expires else { return nil }
        let end = welcomed + .microseconds(expires.microseconds - began.microseconds)
        if let known = self.end, end <= known { return nil }
        self.end = end
        let rest = max(end - now, .zero)
        return rest - min(Self.margin, rest / 3)
    }

    /// When to try again to get a token; `nil`: there is no time left.
    func retry(now: ContinuousClock.Instant) -> Duration? {
        guard let end, end > now else { return nil }
        return max((end - now) / 2, .seconds(1))
    }
}
