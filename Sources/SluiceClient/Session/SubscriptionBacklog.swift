/// How many bytes of a subscription's events have come and were not taken.
///
/// Credit keeps them few; this is for what credit can't foresee, as it counts events.
struct SubscriptionBacklog: Equatable {
    /// Beyond it, the subscription leaves its session; one event always fits.
    static let bytesMax = 4 << 20

    private(set) var bytes = 0

    var isFull: Bool { bytes > Self.bytesMax }
    /// It may go on.
    var isLow: Bool { bytes <= Self.bytesMax / 2 }

    mutating func came(_ count: Int) { bytes += count }

    mutating func took(_ count: Int) { bytes -= count }
}
