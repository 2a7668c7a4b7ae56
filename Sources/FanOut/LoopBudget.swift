/// What waits for the sockets of all sessions of a loop together, in the backlogs, held and in
/// pages of the log, and the bound on it (`limits.backlogs_bytes`).
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

    /// Three quarters of it are free.
    var isMostlyFree: Bool { count <= bytesMax / 4 }

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

    /// Lets pages go, which can be read again, and then those give way for whom most waits, until
    /// an eighth of the budget is free.
    func relieve() {
        guard !isStuck else { return }
        dropPages()
        for subscriber in subscribers.sorted(by: { $0.waitingBytes > $1.waitingBytes }) {
            guard count > enough else { return }
            subscriber.giveWay { false }
        }
        isStuck = count > enough
    }

    /// Lets pages go until an eighth of the budget is free, or there are none.
    func dropPages() {
        for subscriber in subscribers {
            guard count > enough else { return }
            subscriber.dropPages()
        }
    }

    private var enough: Int { bytesMax / 8 * 7 }

    /// It is worth trying again.
    func tick() { isStuck = false }
}
