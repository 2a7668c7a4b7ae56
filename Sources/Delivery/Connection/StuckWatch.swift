/// Finds a peer that takes nothing of what waits for it (doc:Session, "Slow is alive").
///
/// Whoever takes any bytes is alive, however slowly.
package struct StuckWatch: Sendable {
    private let timeout: Duration
    private let restInterval: Duration
    private var nextLook: ContinuousClock.Instant
    private var takenBytes: UInt64 = 0
    /// Something has waited, and the peer has taken nothing, since then.
    private var since: ContinuousClock.Instant?

    /// - Parameters:
    ///   - timeout: How long a peer may take nothing while something waits for it.
    ///   - restInterval: How often the socket is asked although nothing is known to wait.
    ///   - now: The connection has just been made.
    package init(timeout: Duration, restInterval: Duration, now: ContinuousClock.Instant) {
        self.timeout = timeout
        self.restInterval = restInterval
        nextLook = now + restInterval
    }

    /// Whether the peer has taken nothing for too long; to be asked about once a second.
    ///
    /// - Parameters:
    ///   - now: The time of this look.
    ///   - isWaiting: Something waits here for the socket.
    ///   - progress: Bytes, in any unit that grows with what the peer's side has acknowledged, and
    ///     whether some wait in the socket; `nil` if nobody can tell.
    /// - Returns: Whether to give the peer up.
    package mutating func isStuck(
        now: ContinuousClock.Instant, isWaiting: Bool,
        progress: () -> (takenBytes: UInt64, isWaiting: Bool)?
    ) -> Bool {
        guard isWaiting || since != nil || now >= nextLook else { return false }
        nextLook = now + restInterval
        let progress = progress() ?? (takenBytes, false)
        guard isWaiting || progress.isWaiting else {
            since = nil
            return false
        }
        let start = progress.takenBytes > takenBytes ? now : since ?? now
        takenBytes = progress.takenBytes
        since = start
        return now >= start + timeout
    }
}
