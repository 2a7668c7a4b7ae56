/// A line on the terminal that is drawn anew while something goes on; nothing if nobody is
/// watching.
struct Progress {
    private let isShown = Output.error.isTerminal
    private var drawnAt: ContinuousClock.Instant?

    /// Redraws, at most ten times a second.
    mutating func show(_ text: @autoclosure () -> String) {
        guard isShown else { return }
        let now = ContinuousClock.now
        if let drawnAt, now - drawnAt < .milliseconds(100) { return }
        drawnAt = now
        Output.error.write(Array("\r\u{1b}[K\(text())".utf8))
    }

    /// Removes the line.
    mutating func clear() {
        guard drawnAt != nil else { return }
        drawnAt = nil
        Output.error.write(Array("\r\u{1b}[K".utf8))
    }
}
