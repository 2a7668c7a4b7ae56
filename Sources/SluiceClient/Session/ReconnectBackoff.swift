/// How long to wait before the next attempt to connect: doubling, bounded, and scattered.
///
/// Thousands of clients lose a broker at the same moment; without the scatter they would return at
/// the same one, too.
package struct ReconnectBackoff: Sendable {
    /// The longest wait before the second attempt.
    package static let first = Duration.milliseconds(250)
    /// No wait is longer, unless the broker asks for it.
    package static let longest = Duration.seconds(30)
    /// A session that lasted this long was a success: the next wait is a short one.
    package static let soundAfter = Duration.seconds(5)

    private var ceiling = Self.first

    package init() {}

    /// The wait before the next attempt, between a half and the whole of a ceiling that doubles.
    ///
    /// - Parameters:
    ///   - lasted: How long the session that ended had lasted; `nil` if none came about.
    ///   - asked: The least wait that the broker asked for.
    ///   - jitter: Chance.
    /// - Returns: At least `asked`, and at most as much more as the scatter needs.
    package mutating func wait(
        lasted: Duration?, asked: Duration?, jitter: inout some RandomNumberGenerator
    ) -> Duration {
        if let lasted, lasted >= Self.soundAfter { ceiling = Self.first }
        // 53 bits of chance are a number from 0 up to 1.
        let share = 0.5 + Double(jitter.next() >> 11) * 0x1p-54
        let wait = ceiling * share
        ceiling = min(ceiling * 2, Self.longest)
        guard let asked, asked > .zero else { return wait }
        return asked + wait
    }
}
