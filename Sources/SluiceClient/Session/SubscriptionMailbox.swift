internal import Synchronization

/// Where a session leaves the items of one subscription, and its subscriber takes them.
///
/// It is the session's to see that little waits here (`SubscriptionBacklog`).
final class SubscriptionMailbox: Sendable {
    /// What was taken.
    struct Delivery: Equatable {
        /// At least one, in order.
        var items: [SubscriptionItem]
        /// Events after which the session wants to know that they are taken.
        var takenStep: Int
    }

    private struct State {
        var items: [SubscriptionItem] = []
        var takenStep = 1
        var failure: SluiceError?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Whether a taker waits.
    var isAwaited: Bool { state.withLock { $0.waiter != nil } }

    /// Leaves items, at least one.
    func put(_ items: [SubscriptionItem], takenStep: Int) {
        let waiter = state.withLock { state in
            if state.items.isEmpty { state.items = items } else { state.items += items }
            state.takenStep = takenStep
            return Self.wake(&state)
        }
        waiter?.resume()
    }

    /// Says why the subscription is over; the first reason counts.
    ///
    /// Items before it are still delivered.
    func finish(_ failure: SluiceError) {
        let waiter = state.withLock { state in
            state.failure = state.failure ?? failure
            return Self.wake(&state)
        }
        waiter?.resume()
    }

    /// Waits for items.
    ///
    /// One taker at a time.
    ///
    /// - Throws: `SluiceError`, behind all items and then always; `CancellationError`.
    func take() async throws -> Delivery {
        while true {
            try Task.checkCancellation()
            if let delivery = try state.withLock({ try Self.delivery(&$0) }) { return delivery }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isReady = state.withLock { state in
                        // A task that is cancelled after this look finds the waiter and wakes it.
                        guard state.items.isEmpty, state.failure == nil, !Task.isCancelled else {
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

    private static func delivery(_ state: inout State) throws(SluiceError) -> Delivery? {
        guard state.items.isEmpty else {
            defer { state.items = [] }
            return Delivery(items: state.items, takenStep: state.takenStep)
        }
        if let failure = state.failure { throw failure }
        return nil
    }

    private static func wake(_ state: inout State) -> CheckedContinuation<Void, Never>? {
        defer { state.waiter = nil }
        return state.waiter
    }
}
