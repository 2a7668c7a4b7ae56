/// What waits for the sockets of all sessions of a loop together, in the backlogs and held, and the
/// bound on it (`limits.backlogs_bytes`).
///
/// Confined to its loop.
final class LoopBudget {
    /// Bytes that wait.
    var count = 0
    private let bytesMax: Int
    /// All that have subscriptions, in no order.
    private var subscribers: [Subscriber] = []
    /// Nothing could be dropped lately.
    private var isStuck = false

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    func hasRoom(for size: Int) -> Bool { count + size <= bytesMax }

    func add(_ subscriber: Subscriber) {
        guard subscriber.slot == nil else { return }
        subscriber.slot = subscribers.count
        subscribers.append(subscriber)
    }

    func remove(_ subscriber: Subscriber) {
        guard let slot = subscriber.slot else { return }
        subscriber.slot = nil
        let last = subscribers.removeLast()
        guard last !== subscriber else { return }
        subscribers[slot] = last
        last.slot = slot
    }

    /// Lets those give way for whom most waits, until an eighth of the budget is free.
    func relieve() {
        guard !isStuck else { return }
        let enough = bytesMax / 8 * 7
        for subscriber in subscribers.sorted(by: { $0.waitingBytes > $1.waitingBytes }) {
            guard count > enough else { return }
            subscriber.giveWay { false }
        }
        isStuck = count > enough
    }

    /// It is worth trying again.
    func tick() { isStuck = false }
}
