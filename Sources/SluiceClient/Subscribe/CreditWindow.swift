/// The credit that a subscriber grants as its events are taken (doc:Session), so that a slow one
/// holds back the broker rather than the socket, and still hears its heartbeats.
///
/// The broker may be ahead by `size` events; half of them are granted at a time.
struct CreditWindow: Sendable {
    /// So many that a round trip costs no speed; bytes are bounded by the mailbox.
    static let usual: Int64 = 10_000

    private let size: Int64
    /// The caller asked for it; otherwise a broker that does not offer it may do without.
    private let isRequired: Bool
    private var isOffered = true
    /// Events taken, and not yet granted again.
    private var taken: Int64 = 0

    /// `size` is what the caller asked for, if it did.
    init(size: Int64?) {
        self.size = size ?? Self.usual
        isRequired = size != nil
    }

    /// What a subscribe says: then nothing is on its way, and nothing waits to be taken.
    mutating func begin() -> Int64? {
        taken = 0
        return isOffered ? size : nil
    }

    /// The broker refused a subscribe because of its credit.
    ///
    /// - Returns: Whether to say it again without.
    mutating func isRefused() -> Bool {
        guard isOffered, !isRequired else { return false }
        isOffered = false
        return true
    }

    /// - Returns: What to grant now.
    mutating func took(_ events: Int) -> Int64? {
        taken += Int64(events)
        guard isOffered, taken > 0, taken >= size / 2 else { return nil }
        defer { taken = 0 }
        return taken
    }
}
