/// Counts durations with three significant digits over 1 ns to 9 years, in fixed memory; as
/// HdrHistogram does (http://hdrhistogram.org).
///
/// Below `linear` every nanosecond has a bucket; above, each power of two has half as many.
package struct LatencyHistogram: Sendable {
    private static let linearBits = 11
    private static let linear = 1 << linearBits
    private static let half = linear / 2
    private var counts = [UInt64](
        repeating: 0, count: linear + (63 - linearBits) * half)
    /// How many were recorded.
    package private(set) var count: UInt64 = 0
    /// The longest, in ns, exactly.
    package private(set) var max: Int64 = 0

    package init() {}

    /// Records a duration in ns; what is below 0 counts as 0.
    package mutating func record(_ nanoseconds: Int64) {
        let value = Swift.max(nanoseconds, 0)
        counts[Self.index(of: value)] += 1
        count += 1
        max = Swift.max(max, value)
    }

    /// Adds what another one has recorded.
    package mutating func merge(_ other: LatencyHistogram) {
        for index in counts.indices { counts[index] += other.counts[index] }
        count += other.count
        max = Swift.max(max, other.max)
    }

    /// The duration in ns that this share of all does not exceed, to three significant digits;
    /// 0 if nothing was recorded.
    package func quantile(_ share: Double) -> Int64 {
        let rank = UInt64((share * Double(count)).rounded(.up))
        var seen: UInt64 = 0
        for (index, count) in counts.enumerated() {
            seen += count
            if seen >= Swift.max(rank, 1) { return min(Self.highest(of: index), max) }
        }
        return 0
    }

    private static func index(of value: Int64) -> Int {
        guard value >= linear else { return Int(value) }
        let shift = 63 - value.leadingZeroBitCount - (linearBits - 1)
        return linear + (shift - 1) * half + Int(value >> shift) - half
    }

    /// The highest duration that is counted at the index.
    private static func highest(of index: Int) -> Int64 {
        guard index >= linear else { return Int64(index) }
        let shift = (index - linear) / half + 1
        let step = Int64((index - linear) % half + half)
        return step << shift | (1 << shift - 1)
    }
}
