/// Events and their bytes that wait for the log.
struct AppendAmount: Sendable {
    var events = 0
    var bytes = 0

    static func += (amount: inout AppendAmount, other: AppendAmount) {
        amount.events += other.events
        amount.bytes += other.bytes
    }

    static func -= (amount: inout AppendAmount, other: AppendAmount) {
        amount.events -= other.events
        amount.bytes -= other.bytes
    }
}

/// Amounts by whom they belong to, each at a place where it is found again without looking for its
/// owner.
struct AppendAmounts<Owner: Hashable & Sendable>: Sendable {
    private var places: [Owner: Int] = [:]
    private var entries: [(owner: Owner, amount: AppendAmount)] = []
    private var free: [Int] = []

    /// `nil` if the owner has nothing.
    func place(of owner: Owner) -> Int? { places[owner] }

    subscript(place: Int) -> AppendAmount { entries[place].amount }

    /// Gives the place; `place`: where the owner is known to be.
    mutating func add(_ amount: AppendAmount, of owner: Owner, at place: Int?) -> Int {
        if let place {
            entries[place].amount += amount
            return place
        }
        let new = free.popLast() ?? entries.count
        if new == entries.count {
            entries.append((owner, amount))
        } else {
            entries[new] = (owner, amount)
        }
        places[owner] = new
        return new
    }

    /// Without anything, the owner has no place.
    mutating func remove(_ amount: AppendAmount, at place: Int) {
        entries[place].amount -= amount
        guard entries[place].amount.events == 0 else { return }
        places[entries[place].owner] = nil
        free.append(place)
    }
}
