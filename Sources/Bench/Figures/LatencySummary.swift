/// Latency over one stretch of a run, in ns.
package struct LatencySummary: Equatable, Sendable {
    package var events: UInt64
    package var p50: Int64
    package var p90: Int64
    package var p99: Int64
    package var p999: Int64
    package var max: Int64

    init(_ histogram: LatencyHistogram) {
        events = histogram.count
        p50 = histogram.quantile(0.5)
        p90 = histogram.quantile(0.9)
        p99 = histogram.quantile(0.99)
        p999 = histogram.quantile(0.999)
        max = histogram.max
    }
}

/// The middle one of some values; 0 of none.
func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    let half = sorted.count / 2
    return sorted.count.isMultiple(of: 2)
        ? (sorted[half - 1] + sorted[half]) / 2 : sorted[half]
}
