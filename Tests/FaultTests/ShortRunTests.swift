import FaultTest
import RepeatableChance
import Testing

@Suite("Two brokers whose world breaks") struct ShortRunTests {
    @Test(.timeLimit(.minutes(6)))
    func `lose nothing, double nothing, and tell every gap`() async throws {
        let seed = SeededGenerator().seed % 1_000_000
        let run = FaultRun(
            seed: seed, duration: .seconds(25), program: FaultRun.neighbour("sluice"),
            isQuiet: true)
        let report = try await run.run()
        let again = "swift run fault-test --seed \(seed) --duration 25s"
        #expect(report.violations == [], "\(again)")
        #expect(report.faults.values.reduce(0, +) > 3, "\(again)")
        #expect(report.counts.acknowledged > 100, "\(again)")
    }
}
