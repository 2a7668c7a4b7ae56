internal import Synchronization

/// A subscription that is iterated on, from its first item on; it leaves its session when it is let
/// go.
final class SubscriptionFeed: Sendable {
    private let subscription: Subscription
    private let mailbox = SubscriptionMailbox()
    /// In the pool; there once it has begun.
    private let id = Mutex<Int64?>(nil)

    init(_ subscription: Subscription) { self.subscription = subscription }

    deinit {
        if let id = id.withLock({ $0 }) { subscription.pool.leave(id) }
    }

    /// Waits for items; the first time, the subscription begins.
    ///
    /// - Throws: `SluiceError`; `CancellationError`.
    func take() async throws -> SubscriptionMailbox.Delivery {
        if id.withLock({ $0 == nil }) { subscription.rate.begin(self) }
        return try await mailbox.take()
    }

    /// Begins with this rate, unless it has begun.
    func begin(maxRate: Int?) {
        id.withLock { id in
            guard id == nil else { return }
            id = subscription.pool.join(
                subscription.patterns, isBatched: subscription.isBatched, mailbox: mailbox
            ) { id in
                var progress = SubscriptionProgress(
                    id: id, patterns: subscription.patterns, start: subscription.start,
                    cursors: subscription.cursors, options: subscription.options,
                    filter: subscription.filter)
                progress.maxRate = maxRate
                return progress
            }
        }
    }

    /// Events were taken.
    func took(events: Int, bytes: Int) {
        if let id = id.withLock({ $0 }) {
            subscription.pool.took(id, events: events, bytes: bytes)
        }
    }

    func update(maxRate: Int?) {
        if let id = id.withLock({ $0 }) { subscription.pool.update(id, maxRate: maxRate) }
    }
}
