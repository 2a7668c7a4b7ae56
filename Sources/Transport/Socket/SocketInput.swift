/// Whether the peer's bytes are wanted, and whether more of them can come.
struct SocketInput {
    /// The peer sends nothing more.
    private(set) var isOver = false
    private var isWanted = true
    /// NIO has asked to read while nothing was wanted.
    private var owesRead = false

    /// Whether bytes are given to the owner as they come.
    var isFlowing: Bool { isWanted }

    /// NIO asks to read; `false`: not now.
    mutating func mayRead() -> Bool {
        if !isWanted { owesRead = true }
        return isWanted
    }

    /// The owner wants bytes, or none; says whether a read that was put off is to be made now.
    mutating func setWanted(_ isWanted: Bool) -> Bool {
        self.isWanted = isWanted
        guard isWanted, owesRead else { return false }
        owesRead = false
        return true
    }

    /// The end was reached; `false` if that is known already.
    mutating func end() -> Bool {
        defer { isOver = true }
        return !isOver
    }
}

/// What a socket does when the turn ends, because it must not happen inside somebody's call.
struct TurnDuties: OptionSet {
    let rawValue: UInt8

    /// The loop will call when the turn ends; with the others, or to look at the phase alone.
    static let listed = TurnDuties(rawValue: 1)
    /// Call the owner's `turnEnded`.
    static let turnEnd = TurnDuties(rawValue: 2)
    /// Call the owner's `writable`.
    static let writable = TurnDuties(rawValue: 4)
    /// Close the channel.
    static let close = TurnDuties(rawValue: 8)
}
