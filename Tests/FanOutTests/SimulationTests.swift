internal import Foundation
internal import Testing

@Suite("A fan-out to which everything happens at once") struct SimulationTests {
    /// `SLUICE_SEED` repeats the run of one seed; otherwise there are 250 from a random one.
    private static let seeds: ClosedRange<UInt64> = {
        let given = ProcessInfo.processInfo.environment["SLUICE_SEED"].flatMap { UInt64($0) }
        let first = given ?? .random(in: 0..<1_000_000_000)
        return first...(given ?? first + 249)
    }()

    @Test func `keeps the contract`() {
        print(
            "SLUICE_SEED=\(Self.seeds.lowerBound) and \(Self.seeds.count - 1) more"
        )
        var counts: [String: Int] = [:]
        var overtakenCount = 0
        for seed in Self.seeds {
            let simulation = Simulation(seed: seed)
            simulation.run(steps: 600)
            counts.merge(simulation.counts, uniquingKeysWith: +)
            overtakenCount += simulation.log.overtakenCount
            #expect(simulation.violations == [], "SLUICE_SEED=\(seed)")
        }
        guard Self.seeds.count > 1 else { return }
        let kinds = [
            "event", "gap ephemeral", "gap overflow", "gap purged", "gap retention", "lagging",
            "live", "reset", "subscribed", "unsubscribed",
        ]
        #expect(counts.keys.sorted() == kinds)
        #expect(overtakenCount > 0)
    }

    @Test(arguments: [1, 2, 3]) func `is the same again from the same seed`(_ seed: UInt64) {
        let digests = (0..<2).map { _ in
            let simulation = Simulation(seed: seed)
            simulation.run(steps: 600)
            return simulation.digest
        }
        #expect(digests[0] == digests[1])
    }
}
