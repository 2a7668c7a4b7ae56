/// How long something may wait: until a deadline, and for as long as somebody wants it.
struct Patience {
    /// How often `goesOn` is asked.
    private static let tick = Duration.milliseconds(100)

    var deadline: ContinuousClock.Instant?
    /// `false`: nobody wants it any more.
    var goesOn: (() -> Bool)?

    /// The same, but for no longer than this from now on.
    func limited(to timeout: Duration?) -> Patience {
        guard let timeout else { return self }
        let limit = ContinuousClock.now + timeout
        return Patience(deadline: deadline.map { min($0, limit) } ?? limit, goesOn: goesOn)
    }

    /// When to ask `exhausted` again; `nil`: never.
    var nextLook: ContinuousClock.Instant? {
        guard goesOn != nil else { return deadline }
        let next = ContinuousClock.now + Self.tick
        return deadline.map { min($0, next) } ?? next
    }

    /// Why the wait is over; `nil`: it goes on.
    func exhausted() -> String? {
        if goesOn?() == false { return "nobody waits for an answer any more" }
        if let deadline, ContinuousClock.now >= deadline { return "no answer in time" }
        return nil
    }
}
