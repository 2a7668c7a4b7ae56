internal import EventModel

/// Notices that the database's clock was set back further than marks can bear: in what follows,
/// events would be older than marks that were issued before (doc:Log, "Marks").
///
/// Pure. Steps of one incarnation add up; a clock that is only slow, as one that is being slewed,
/// still rises, and so is not meant.
struct ClockWatch {
    /// What a clock may fall within an incarnation; half the margin of a mark.
    static let fallMax = ResumeMark.margin / 2
    /// By how much a clock that is not set may go slower than ours: NTP slews by 500 ppm.
    private static let slownessMax = 0.001

    /// The look that the clock had come furthest at.
    private var reference: (incarnation: String, clock: Timestamp, at: ContinuousClock.Instant)?

    /// Takes a look at the clock.
    ///
    /// - Parameters:
    ///   - clock: As the database told it, at some time from `asked` to `answered`.
    ///   - incarnation: In force then.
    ///   - asked: By our clock, before the question was sent.
    ///   - answered: By our clock, when the answer was there.
    /// - Returns: Whether the clock fell since the looks before, in this incarnation.
    mutating func looked(
        at clock: Timestamp, in incarnation: String, asked: ContinuousClock.Instant,
        answered: ContinuousClock.Instant
    ) -> Bool {
        let look = (incarnation: incarnation, clock: clock, at: answered)
        guard let reference, reference.incarnation == incarnation else {
            self.reference = look
            return false
        }
        // As little as can have passed, so that a slow answer is no fall.
        let passed = max(asked - reference.at, .zero) * (1 - Self.slownessMax)
        let least = reference.clock.advanced(by: passed)
        if clock >= least { self.reference = look }
        return clock < least.advanced(by: .zero - Self.fallMax)
    }
}
