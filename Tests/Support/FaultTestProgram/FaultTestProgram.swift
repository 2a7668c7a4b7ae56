import ArgumentParser
import EventModel
import FaultTest

@main struct FaultTestProgram: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fault-test",
        abstract: "Breaks two brokers, their database and their network, and checks the contract.",
        discussion: """
            Everything is private and goes with it: two PostgreSQL servers, two 'sluice serve', and \
            proxies between them and their clients. The same seed gives the same faults.

            Exit codes: 0 all promises were kept, 1 one was broken, 2 wrong usage.
            """)

    @Option(help: "What faults and publishers are drawn from; without it, chance.")
    var seed: UInt64 = .random(in: 1...999_999)

    @Option(help: "How long faults come, as 90s, 10m or 2h.")
    var duration = "60s"

    @Option(
        parsing: .upToNextOption,
        help: "Only these faults, such as 'disk full'; any of: \(Self.names).")
    var only: [String] = []

    private static let names = Fault.Kind.allCases.map(\.rawValue).joined(separator: ", ")

    func validate() throws {
        if let wrong = only.first(where: { Fault.Kind(rawValue: $0) == nil }) {
            throw ValidationError("'\(wrong)' is none of: \(Self.names).")
        }
        guard let time = parseDuration(duration), time > .zero else {
            throw ValidationError("'\(duration)' is no duration; say 90s, 10m or 2h.")
        }
    }

    func run() async throws {
        print("seed \(seed), duration \(duration)")
        let run = FaultRun(
            seed: seed, duration: parseDuration(duration) ?? .zero,
            program: FaultRun.neighbour("sluice"),
            kinds: only.isEmpty ? Set(Fault.Kind.allCases) : Set(only.compactMap(Fault.Kind.init)))
        let report = try await run.run()
        let faults = Fault.Kind.allCases.map { "\($0.rawValue) \(report.faults[$0] ?? 0)" }
        print("\(report.faults.values.reduce(0, +)) faults: \(faults.joined(separator: ", "))")
        print(FaultRun.words(report.counts))
        guard !report.violations.isEmpty else { return print("all promises were kept") }
        for words in report.violations { print("BROKEN: \(words)") }
        print("again: swift run fault-test --seed \(seed) --duration \(duration)")
        throw ExitCode.failure
    }
}
