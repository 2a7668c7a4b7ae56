import Bench
import RepeatableChance
import Testing

@Suite("A latency histogram")
struct LatencyHistogramTests {
    @Test("finds quantiles within a thousandth of the exact ones")
    func quantiles() {
        var random = SeededGenerator()
        let seed = random.seed
        for _ in 0..<50 {
            var histogram = LatencyHistogram()
            var values: [Int64] = []
            let bits = Int.random(in: 1...62, using: &random)
            for _ in 0..<Int.random(in: 1...500, using: &random) {
                let value = Int64.random(in: 0...(1 << bits), using: &random)
                histogram.record(value)
                values.append(value)
            }
            values.sort()
            for share in [0.0, 0.01, 0.5, 0.9, 0.99, 1.0] {
                let rank = max(1, Int((share * Double(values.count)).rounded(.up)))
                let exact = values[rank - 1]
                let found = histogram.quantile(share)
                #expect(found >= exact, "seed \(seed)")
                #expect(Double(found - exact) <= Double(exact) / 1000, "seed \(seed)")
            }
            #expect(histogram.max == values.last)
            #expect(histogram.count == UInt64(values.count))
        }
    }

    @Test("of nothing has quantiles of 0")
    func nothing() {
        #expect(LatencyHistogram().quantile(0.99) == 0)
        #expect(LatencyHistogram().max == 0)
    }

    @Test("counts what would have been before its beginning as 0")
    func negative() {
        var histogram = LatencyHistogram()
        histogram.record(-5)
        #expect(histogram.quantile(1) == 0)
        #expect(histogram.count == 1)
    }

    @Test("takes over what another one has counted")
    func merge() {
        var one = LatencyHistogram()
        var other = LatencyHistogram()
        one.record(1)
        other.record(.max)
        one.merge(other)
        #expect(one.count == 2)
        #expect(one.quantile(0.5) == 1)
        #expect(one.quantile(1) == .max)
    }
}
