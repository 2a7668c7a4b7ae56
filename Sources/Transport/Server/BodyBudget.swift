internal import Synchronization

/// The bytes of request bodies that a server holds at a time, on all its event loops.
final class BodyBudget: Sendable {
    let bytesMax: Int
    private let bytes = Atomic(0)

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    fileprivate func take(_ count: Int) -> Bool {
        let isWithin = bytes.add(count, ordering: .relaxed).newValue <= bytesMax
        if !isWithin { give(count) }
        return isWithin
    }

    fileprivate func give(_ count: Int) { bytes.subtract(count, ordering: .relaxed) }
}

/// One body's part of the budget, given back when nobody holds the body any more.
final class BodyReservation: Sendable {
    private let budget: BodyBudget
    private let bytes = Atomic(0)

    init(_ budget: BodyBudget) { self.budget = budget }

    deinit { budget.give(bytes.load(ordering: .relaxed)) }

    /// Takes as much more, unless that is over the budget.
    func take(_ count: Int) -> Bool {
        guard budget.take(count) else { return false }
        bytes.add(count, ordering: .relaxed)
        return true
    }
}
