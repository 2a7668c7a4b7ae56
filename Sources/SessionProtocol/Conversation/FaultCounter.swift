/// Counts the client's faults, minute by minute.
struct FaultCounter: Sendable {
    private var minute: ContinuousClock.Instant?
    private var count: Int32 = 0

    /// - Returns: Were these too many?
    mutating func add(now: ContinuousClock.Instant, faultsPerMinuteMax: Int) -> Bool {
        if minute.map({ now >= $0 + .seconds(60) }) ?? true {
            minute = now
            count = 0
        }
        count += 1
        return count >= faultsPerMinuteMax
    }
}
