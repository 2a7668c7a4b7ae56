internal import RepeatableChance

/// What goes wrong when, all of it from a seed.
///
/// Pure: the same seed, duration and abilities give the same schedule.
package struct FaultSchedule: Equatable, Sendable {
    /// Faults that begin at the same time, after a calm.
    package struct Moment: Equatable, Sendable {
        /// Since the run's begin; later when what was before took longer.
        package var at: Duration
        package var faults: [Fault]
    }

    package let moments: [Moment]

    /// The first fault waits for connections to stand, and behind the last is time to mend.
    static let leadIn = Duration.seconds(2)

    package init(
        seed: UInt64, duration: Duration, brokers: Int, without missing: Set<Fault.Kind> = []
    ) {
        var chance = SeededGenerator(seed: seed)
        let kinds = Fault.Kind.allCases.filter { !missing.contains($0) }
        var moments: [Moment] = []
        var at = Self.leadIn
        // Every kind comes once before any comes again, so that a short run has a bit of all.
        var deck: [Fault.Kind] = []
        while at < duration, !kinds.isEmpty {
            var faults: [Fault] = []
            for _ in 1...(chance.chance(25) ? 2 : 1) {
                if deck.isEmpty { deck = kinds.shuffled(using: &chance) }
                let kind = deck.removeLast()
                let isLong = duration > .seconds(180) && chance.chance(12)
                let fault = Fault(
                    kind, broker: chance.pick(0...brokers - 1),
                    lasting: .milliseconds(
                        isLong ? chance.pick(4000...20_000) : chance.pick(50...2500)),
                    salt: chance.next())
                guard !faults.contains(where: { $0.excludes(fault) }) else { continue }
                faults.append(fault)
            }
            moments.append(Moment(at: at, faults: faults))
            let longest = faults.map(\.lasting).max() ?? .zero
            at += longest + .milliseconds(Self.calm(of: duration, &chance))
        }
        self.moments = moments
    }

    /// Milliseconds; a short run has no time for long ones, in which everything becomes live again.
    private static func calm(of duration: Duration, _ chance: inout SeededGenerator) -> Int {
        guard duration > .seconds(60) else { return chance.pick(100...900) }
        return chance.chance(10) ? chance.pick(4000...10_000) : chance.pick(100...3000)
    }
}

extension Fault {
    /// Whether both can't be done to one thing at one time.
    fileprivate func excludes(_ other: Fault) -> Bool {
        if kind == other.kind { return true }
        // Another server goes on; who meddles meanwhile would change what is tested.
        let alone: Set<Kind> = [.failover, .failoverWithDecoy]
        if alone.contains(kind) || alone.contains(other.kind) { return true }
        let postgres: Set<Kind> = [
            .postgresKilled, .postgresFrozen, .standbyFrozen, .diskFull, .appendFrozen,
        ]
        let brokers: Set<Kind> = [.brokerKilled, .brokerStopped, .brokerFrozen, .brokersKilled]
        return postgres.contains(kind) && postgres.contains(other.kind)
            || brokers.contains(kind) && brokers.contains(other.kind)
    }
}
