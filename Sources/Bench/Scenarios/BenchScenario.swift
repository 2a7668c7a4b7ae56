/// Something that is measured of a broker.
package protocol BenchScenario: Sendable {
    associatedtype Outcome: BenchOutcome

    /// Runs once against a broker, in topics of its own, which are deleted afterwards, and tells
    /// `progress` what goes on.
    ///
    /// Throws `SluiceError` or `BenchError`.
    func run(
        _ broker: BenchBroker, progress: @escaping @Sendable (String) -> Void
    ) async throws -> Outcome
}

/// What one run found.
package protocol BenchOutcome: Sendable {
    var figures: [Figure] { get }
    /// What all subscribers saw.
    var delivered: DeliveryCheck.Tally { get }
    /// Nothing is missing, repeated or unwanted, and nobody is behind.
    var isSound: Bool { get }
    /// Why the first session that ended did.
    var end: String? { get }
}

/// A scenario's runs against one broker, or against two in turn.
package struct BenchRounds<Outcome: BenchOutcome>: Sendable {
    package var own: [Outcome] = []
    package var other: [Outcome] = []

    /// Runs the scenario `count` times against each; who begins takes turns, so that a machine that
    /// gets slower or faster meanwhile favours nobody.
    ///
    /// Throws as the scenario.
    package static func run<Scenario: BenchScenario>(
        _ scenario: Scenario, on broker: BenchBroker, against other: BenchBroker?, count: Int,
        progress: @escaping @Sendable (String) -> Void
    ) async throws -> BenchRounds where Scenario.Outcome == Outcome {
        try await broker.check()
        try await other?.check()
        var rounds = BenchRounds()
        for number in 1...max(count, 1) {
            let isOwnFirst = !number.isMultiple(of: 2)
            for isOwn in [isOwnFirst, !isOwnFirst] {
                guard let target = isOwn ? broker : other else { continue }
                let name = count > 1 || other != nil ? "\(number) of \(count), \(target): " : ""
                let outcome = try await scenario.run(target) { progress(name + $0) }
                if isOwn { rounds.own.append(outcome) } else { rounds.other.append(outcome) }
            }
        }
        return rounds
    }

    /// The medians of one figure.
    package struct Row: Equatable, Sendable {
        package var figure: Figure
        /// Of the other broker.
        package var other: Double?
        /// The median of each round's own value, divided by the other's.
        package var ratio: Double?
    }

    /// All figures, in the order of the scenario.
    package var rows: [Row] {
        (own.first?.figures ?? []).map { figure in
            let mine = Self.values(figure.key, own)
            let theirs = Self.values(figure.key, other)
            let ratios = zip(mine, theirs).compactMap { mine, theirs in
                mine.flatMap { mine in theirs.flatMap { $0 > 0 ? mine / $0 : nil } }
            }
            let known = theirs.compactMap(\.self)
            return Row(
                figure: Figure(
                    figure.key, figure.title, figure.unit, median(mine.compactMap(\.self))),
                other: known.isEmpty ? nil : median(known),
                ratio: ratios.isEmpty ? nil : median(ratios))
        }
    }

    /// One round each; `nil` where a round has no such figure.
    private static func values(_ key: String, _ outcomes: [Outcome]) -> [Double?] {
        outcomes.map { outcome in outcome.figures.first { $0.key == key }?.value }
    }

    package var isSound: Bool { (own + other).allSatisfy(\.isSound) }
    package var end: String? { (own + other).lazy.compactMap(\.end).first }
}
