/// Finds a server that is gone, because a half-open connection never ends by itself (doc:Session,
/// liveness).
///
/// A client that does not read hears nothing, so the time for which it is paused does not count.
package struct SilenceWatch: Sendable {
    /// How long the server may be silent.
    package var silenceMax: Duration
    private var heard: ContinuousClock.Instant
    private var isPaused = false

    /// Begins with a connection that has just been made.
    package init(silenceMax: Duration, now: ContinuousClock.Instant) {
        self.silenceMax = silenceMax
        heard = now
    }

    /// When the server counts as gone; `nil` while the client is paused.
    package var deadline: ContinuousClock.Instant? { isPaused ? nil : heard + silenceMax }

    /// Bytes came.
    package mutating func received(now: ContinuousClock.Instant) { heard = now }

    /// The client stops to read.
    package mutating func paused() { isPaused = true }

    /// The client reads again.
    package mutating func resumed(now: ContinuousClock.Instant) {
        guard isPaused else { return }
        isPaused = false
        heard = now
    }
}
