internal import EventModel

/// How many of a topic's subscribers have an event: an event is through when all of them have it.
struct ArrivalCount: Equatable {
    /// More events than can be under way at a time.
    static let window = 4096

    /// Who waits for each event.
    private(set) var members = 0
    /// By offset, modulo `window`.
    private var counts: [Int32] = []

    mutating func join() {
        members += 1
        if counts.isEmpty { counts = [Int32](repeating: 0, count: Self.window) }
    }

    /// One of the members has an event.
    ///
    /// - Returns: Whether all have it now.
    mutating func arrived(_ offset: Offset) -> Bool {
        guard members > 0 else { return false }
        let place = Int(offset) & (Self.window - 1)
        counts[place] += 1
        guard counts[place] >= members else { return false }
        counts[place] = 0
        return true
    }
}

/// The events of one topic that are through on one loop; confined to it.
final class TopicArrivals {
    private var count = ArrivalCount()
    /// Told when all of this loop's subscribers have an event; `nil`: nobody asks.
    var through: ((Offset) -> Void)?

    func join() { count.join() }

    func arrived(_ offset: Offset) {
        guard let through else { return }
        if count.arrived(offset) { through(offset) }
    }

    /// One of them was told that these do not come; nobody waits for them any more.
    func told(_ from: Offset, _ to: Offset) {
        guard from <= to else { return }
        for offset in max(from, to - Offset(ArrivalCount.window) + 1)...to { arrived(offset) }
    }
}

@available(*, unavailable) extension TopicArrivals: Sendable {}
