internal import NIOCore

/// Whether the peer's bytes are wanted, and whether more of them can come.
struct SocketInput {
    /// What NIO gives.
    enum Piece {
        case bytes(ByteBuffer)
        case end
    }

    /// Pieces that were taken, up to the number that ends a newcomer.
    private var takenCount: UInt8 = 0
    /// Pieces that wait for their turn.
    private var waitingCount = 0
    /// More than a handshake, an upgrade and a first message.
    private static let newcomerPieces: UInt8 = 8
    /// The peer sends nothing more.
    private(set) var isOver = false
    private var isWanted = true
    /// NIO has asked to read while nothing was wanted.
    private var owesRead = false

    /// Whether it has hardly said anything: it may be one of many that come at once.
    var isNewcomer: Bool { takenCount < Self.newcomerPieces }

    /// Whether pieces wait for their turn.
    var isWaiting: Bool { waitingCount > 0 }

    /// Whether bytes are given to the owner as they come.
    var isFlowing: Bool { isWanted }

    /// NIO asks to read; `false`: not now.
    mutating func mayRead() -> Bool {
        let mayRead = isWanted && !isWaiting
        if !mayRead { owesRead = true }
        return mayRead
    }

    /// A piece has to wait for its turn; until then, nothing more is read.
    mutating func waits() { waitingCount += 1 }

    /// A piece that waited has its turn; says whether a read that was put off is to be made now.
    mutating func turnCame() -> Bool {
        waitingCount -= 1
        return takesOwedRead()
    }

    /// A piece is taken.
    mutating func took() { if isNewcomer { takenCount += 1 } }

    /// The owner wants bytes, or none; says whether a read that was put off is to be made now.
    mutating func setWanted(_ isWanted: Bool) -> Bool {
        self.isWanted = isWanted
        return takesOwedRead()
    }

    private mutating func takesOwedRead() -> Bool {
        guard isWanted, !isWaiting, owesRead else { return false }
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
