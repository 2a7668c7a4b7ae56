/// Allows at most so many events in any second (the generic cell rate algorithm, ITU-T I.371).
///
/// High rates may save up a hundredth of a second's events, so that a timer need not run for each;
/// they are refilled so much slower that a second's end holds no more either.
struct RateMeter {
    private let interval: Duration
    private let savingsMax: Duration
    /// When the next event would come if all came evenly.
    private var even: ContinuousClock.Instant

    init(eventsPerSecond: Int, now: ContinuousClock.Instant) {
        precondition(eventsPerSecond >= 1, "bug: a rate of \(eventsPerSecond) events a second")
        let burst = max(1, eventsPerSecond / 100)
        // Rounded up, so that what is lost in rounding is not gained over a second.
        interval = .nanoseconds(1_000_000_000 / (eventsPerSecond - burst + 1) + 1)
        savingsMax = interval * (burst - 1)
        even = now
    }

    /// When an event may come.
    var next: ContinuousClock.Instant { even - savingsMax }

    /// When nothing is left to remember of what came.
    var rest: ContinuousClock.Instant { even }

    func allows(_ now: ContinuousClock.Instant) -> Bool { now >= next }

    /// The same with another rate, from now on; `nil`: none.
    func changed(to eventsPerSecond: Int?, now: ContinuousClock.Instant) -> RateMeter? {
        eventsPerSecond.map { RateMeter(eventsPerSecond: $0, now: max(now, next)) }
    }

    /// An event comes now.
    mutating func spend(_ now: ContinuousClock.Instant) { even = max(even, now) + interval }
}
