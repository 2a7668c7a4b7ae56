/// What a socket's kernel buffer did not take and the channel is to flush.
struct HandedOver {
    private(set) var bytes = 0
    private var writes = 0
    private var isBlockSeen = false

    /// Whether something is still waiting.
    var isBlocked: Bool { writes > 0 }

    mutating func began(_ count: Int) {
        writes += 1
        bytes += count
    }

    /// The writer returns to its caller, who can see now whether the socket is blocked.
    ///
    /// The channel may have flushed at once; only who saw the socket blocked has to be told later.
    mutating func returned() { isBlockSeen = isBlocked }

    /// A write was flushed, or failed; says whether somebody has to be told that nothing waits.
    mutating func ended(_ count: Int) -> Bool {
        writes -= 1
        bytes -= count
        guard writes == 0, isBlockSeen else { return false }
        isBlockSeen = false
        return true
    }
}
