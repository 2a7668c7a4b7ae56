internal import DequeModule

/// Whose turn it is on a loop to move what waits to the socket: first who is live, then who catches
/// up, each in turn.
///
/// Confined to its loop.
final class FlushTurns {
    /// For whom something came since they were flushed last, in turn.
    private var dirty = Deque<Subscriber>()
    /// Those of them that were found to be catching up: live delivery goes first.
    private var catchingUp = Deque<Subscriber>()
    private var isScheduled = false
    private let turn: Duration
    /// How many live subscribers are flushed between two looks at the clock.
    private static let flushesPerLook = 16

    /// `turn`: For how long others may be kept waiting.
    init(_ turn: Duration) { self.turn = turn }

    /// Puts the subscriber among those to flush.
    ///
    /// - Returns: Whether a flush has to be scheduled for it.
    func add(_ subscriber: Subscriber) -> Bool {
        guard !subscriber.isDirty else { return false }
        subscriber.isDirty = true
        dirty.append(subscriber)
        guard !isScheduled else { return false }
        isScheduled = true
        return true
    }

    /// Flushes for one turn and one subscriber at the most.
    ///
    /// Of those who catch up, one is flushed in any case, so that they are not starved.
    ///
    /// - Returns: `true` if some are left, for whom another flush has to be scheduled.
    func flush(clock: () -> ContinuousClock.Instant) -> Bool {
        let end = clock() + turn
        var isOver = false
        // For whom something comes meanwhile has the next turn.
        var left = dirty.count
        while left > 0, !isOver, let subscriber = dirty.popFirst() {
            left -= 1
            if subscriber.isCatchingUp {
                catchingUp.append(subscriber)
            } else {
                flush(subscriber)
                if left.isMultiple(of: Self.flushesPerLook) { isOver = clock() >= end }
            }
        }
        left = catchingUp.count
        isOver = false
        while left > 0, !isOver, let subscriber = catchingUp.popFirst() {
            left -= 1
            flush(subscriber)
            isOver = clock() >= end
        }
        isScheduled = !dirty.isEmpty || !catchingUp.isEmpty
        return isScheduled
    }

    private func flush(_ subscriber: Subscriber) {
        subscriber.isDirty = false
        subscriber.output?.flush()
    }
}

extension Subscriber {
    /// Bytes that are put into the backlog, or moved out of it, for one who catches up before the
    /// others have their turn.
    package static let refillBytesMax = 64 << 10

    /// It has more to get than live delivery brings at once: its way to the head, or what is left of
    /// that.
    package var isCatchingUp: Bool { isReplaying || backlog.byteCount > Self.refillBytesMax }
}
