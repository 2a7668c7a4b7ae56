internal import Synchronization

/// Where the event loop leaves a session's messages and the subscriber takes them.
///
/// Bounded: when it holds `fullAt` bytes, the event loop stops reading from the socket, and one
/// read's worth more fits.
final class SessionMailbox: SessionReceiver, Sendable {
    static let fullAt = 1 << 20

    /// What was taken.
    enum Delivery: Equatable {
        /// At least one; `wasFull` asks for reading to be resumed.
        case messages([[UInt8]], wasFull: Bool)
        case end(SessionEnd)
    }

    private struct State {
        var messages: [[UInt8]] = []
        var byteCount = 0
        var end: SessionEnd?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Whether a taker waits.
    var isAwaited: Bool { state.withLock { $0.waiter != nil } }

    /// Leaves messages.
    ///
    /// - Returns: Whether the mailbox is full now.
    func put(_ messages: [[UInt8]]) -> Bool {
        let (waiter, isFull) = state.withLock { state in
            state.messages += messages
            state.byteCount += messages.reduce(0) { $0 + $1.count }
            return (Self.wake(&state), state.byteCount >= Self.fullAt)
        }
        waiter?.resume()
        return isFull
    }

    /// Says how the session ended; the first reason counts.
    ///
    /// Messages before it are still delivered.
    func finish(_ end: SessionEnd) {
        let waiter = state.withLock { state in
            state.end = state.end ?? end
            return Self.wake(&state)
        }
        waiter?.resume()
    }

    /// Waits for messages or the end.
    ///
    /// One taker at a time.
    ///
    /// - Returns: Messages first, then the end.
    /// - Throws: `CancellationError`.
    func take() async throws -> Delivery {
        while true {
            try Task.checkCancellation()
            if let delivery = state.withLock({ Self.delivery(&$0) }) { return delivery }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isReady = state.withLock { state in
                        // A task that is cancelled after this look finds the waiter and wakes it.
                        guard state.messages.isEmpty, state.end == nil, !Task.isCancelled else {
                            return true
                        }
                        state.waiter = continuation
                        return false
                    }
                    if isReady { continuation.resume() }
                }
            } onCancel: {
                state.withLock { Self.wake(&$0) }?.resume()
            }
        }
    }

    private static func delivery(_ state: inout State) -> Delivery? {
        guard state.messages.isEmpty else {
            let delivery = Delivery.messages(
                state.messages, wasFull: state.byteCount >= Self.fullAt)
            state.messages = []
            state.byteCount = 0
            return delivery
        }
        return state.end.map(Delivery.end)
    }

    private static func wake(_ state: inout State) -> CheckedContinuation<Void, Never>? {
        defer { state.waiter = nil }
        return state.waiter
    }
}
