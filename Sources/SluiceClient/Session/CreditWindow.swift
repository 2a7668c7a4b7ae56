/// The credit that a subscriber grants as its events are taken (doc:Session), so that a slow one
/// holds back the broker, and nobody else who shares its connection.
///
/// The broker may be ahead by `size` events; at least half of them are granted at a time.
struct CreditWindow: Sendable {
    /// So many that a round trip costs no speed.
    static let usual: Int64 = 10_000
    /// What the events of a window may come to, by the size of those that came last.
    static let bytesMax = 2 << 20

    /// What the caller asked for; otherwise a broker that does not offer it may do without.
    private let asked: Int64?
    private var isOffered = true
    /// Events granted and not taken yet.
    private var ahead: Int64 = 0
    /// Bytes of an event, averaged over the last ones; 0 before the first.
    private var usualBytes = 0

    /// `size` is what the caller asked for, if it did.
    init(size: Int64?) { asked = size }

    private var size: Int64 {
        asked ?? max(1, min(Self.usual, Int64(Self.bytesMax / max(usualBytes, 1))))
    }

    /// Events after which it may be time to grant some, also where there is little left of what was
    /// granted.
    var takenStep: Int64 { max(1, (isOffered ? min(size, ahead) : size) / 2) }

    /// What a subscribe says: then nothing is on its way, and so many events wait to be taken.
    mutating func begin(waiting: Int64) -> Int64? {
        ahead = max(size, waiting)
        return isOffered ? ahead - waiting : nil
    }

    /// The broker refused a subscribe because of its credit.
    ///
    /// - Returns: Whether to say it again without.
    mutating func isRefused() -> Bool {
        guard isOffered, asked == nil else { return false }
        isOffered = false
        return true
    }

    /// An event of so many bytes came.
    mutating func received(_ bytes: Int) {
        usualBytes = usualBytes == 0 ? bytes : usualBytes + (bytes - usualBytes) / 8
    }

    /// - Returns: What to grant now.
    mutating func took(_ events: Int) -> Int64? {
        ahead -= Int64(events)
        let grant = size - ahead
        guard isOffered, grant >= max(size / 2, 1) else { return nil }
        ahead = size
        return grant
    }
}
