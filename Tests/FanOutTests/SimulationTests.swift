internal import Foundation
internal import Testing

@Suite("A fan-out to which everything happens at once") struct SimulationTests {
    /// `SLUICE_SEEDS` many from `SLUICE_SEED` on; without that, 250 from a random one, and with it
    /// alone, that one, whose history is printed.
    private static let seeds: Range<UInt64> = {
        func given(_ name: String) -> UInt64? {
            ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
        }
        let seed = given("SLUICE_SEED")
        let first = seed ?? .random(in: 0..<1_000_000_000)
        return first..<first + (given("SLUICE_SEEDS") ?? (seed == nil ? 250 : 1))
    }()

    @Test func `keeps the contract`() {
        print("SLUICE_SEED=\(Self.seeds.lowerBound) SLUICE_SEEDS=\(Self.seeds.count)")
        var counts: [String: Int] = [:]
        var overtakenCount = 0
        for seed in Self.seeds {
            let simulation = Simulation(seed: seed, isTold: Self.seeds.count == 1)
            simulation.run(steps: 600)
            counts.merge(simulation.counts, uniquingKeysWith: +)
            overtakenCount += simulation.log.overtakenCount
            #expect(simulation.violations == [], "SLUICE_SEED=\(seed)")
        }
        guard Self.seeds.count > 1 else { return }
        let kinds = [
            "cursors", "event", "gap conflated", "gap ephemeral", "gap overflow", "gap purged",
            "gap retention", "lagging", "live", "overflow", "reset", "subscribed", "unsubscribed",
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
