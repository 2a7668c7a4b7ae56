internal import Foundation
internal import Testing

@Suite("A fan-out to which everything happens at once") struct SimulationTests {
    /// The first of the seeds; `SLUICE_SEED` repeats a run.
    private static let given = ProcessInfo.processInfo.environment["SLUICE_SEED"].flatMap { UInt64($0) }

    @Test func `keeps the contract`() {
        let first = Self.given ?? .random(in: 0..<1_000_000_000)
        print("fan-out simulation: SLUICE_SEED=\(first)")
        var counts: [String: Int] = [:]
        for seed in first..<first + UInt64(ProcessInfo.processInfo.environment["N"] ?? "300")! {
            let simulation = Simulation(seed: seed)
            simulation.run(steps: 600)
            counts.merge(simulation.counts, uniquingKeysWith: +)
            #expect(simulation.violations == [], "SLUICE_SEED=\(seed)")
        }
        print(counts)
    }

    @Test(arguments: [1, 2, 3]) func `is the same again from the same seed`(_ seed: UInt64) {
        let runs = (0..<2).map { _ in
            let simulation = Simulation(seed: seed)
            simulation.run(steps: 600)
            return simulation.digest
        }
        #expect(runs[0] == runs[1], "SLUICE_SEED=\(seed)")
    }
}
