import Testing

@testable import Bench

@Suite("A scenario's rounds")
struct BenchRoundsTests {
    private struct Outcome: BenchOutcome {
        var figures: [Figure]
        var delivered = DeliveryCheck.Tally()
        var isSound = true
        var end: String?

        init(_ value: Double?) {
            figures = [Figure("first", "the first", .count, 7)]
            figures.add("cost_us", "a cost", .microseconds, value)
        }
    }

    @Test("have medians, and the median of the rounds' ratios")
    func medians() {
        let rounds = BenchRounds(
            own: [1, 2, 9].map { Outcome($0) }, other: [2, 2, 3].map { Outcome($0) })
        #expect(rounds.rows.map(\.figure.key) == ["first", "cost_us"])
        #expect(rounds.rows[1].figure.value == 2)
        #expect(rounds.rows[1].other == 2)
        #expect(rounds.rows[1].ratio == 1)
    }

    @Test("against nobody have no ratios, and none to what was not measured or is 0")
    func missing() {
        #expect(
            BenchRounds(own: [Outcome(1)]).rows[1]
                == .init(
                    figure: Figure("cost_us", "a cost", .microseconds, 1)))
        let unmeasured = BenchRounds(own: [Outcome(1)], other: [Outcome(nil)]).rows[1]
        #expect(unmeasured.other == nil)
        #expect(unmeasured.ratio == nil)
        #expect(BenchRounds(own: [Outcome(1)], other: [Outcome(0)]).rows[1].ratio == nil)
    }

    @Test("are sound when each of both is, and tell the first end")
    func sound() {
        var bad = Outcome(1)
        bad.isSound = false
        bad.end = "closed 4001"
        let rounds = BenchRounds(own: [Outcome(1)], other: [Outcome(1), bad])
        #expect(!rounds.isSound)
        #expect(rounds.end == "closed 4001")
        #expect(BenchRounds(own: [Outcome(1)]).isSound)
    }
}
