internal import ArgumentParser
internal import Bench

/// The command `sluice bench filters`.
struct BenchFiltersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "filters",
        abstract: "What it costs to ask each subscriber's filter about each event.",
        discussion: """
            Events are published at a rate, first without subscribers and then with them; the \
            difference is what filters and deliveries cost. With few events that come through \
            (--share) it is that of the filters.

            Examples:
              sluice bench filters --server-pid "$(pgrep -x sluice)"
              sluice bench filters --subscribers 1000 --filters 1 --size 1KiB --share 50
            """)

    @OptionGroup var bench: BenchOptions

    @OptionGroup var rounds: RoundsOption

    @Option(help: ArgumentHelp("Subscribers of one topic.", valueName: "number"))
    var subscribers = 100

    @Option(
        help: ArgumentHelp(
            "Filters that differ, which they have in turn (default: one each).",
            valueName: "number"))
    var filters: Int?

    @Option(
        help: ArgumentHelp("Of a hundred events, those that come through.", valueName: "number"))
    var share = 1

    @Option(help: ArgumentHelp("Events a second.", valueName: "number"))
    var rate = 1000.0

    @OptionGroup var event: EventSizeOption

    @Option(
        help: ArgumentHelp(
            "How long each half is measured (default: 5s).", valueName: "duration"),
        transform: BenchOptions.duration)
    var duration = Duration.seconds(5)

    func validate() throws {
        guard subscribers > 0, (1...subscribers).contains(filters ?? 1), rate > 0 else {
            throw ValidationError(
                "--subscribers and --rate must be above 0, and --filters 1 to --subscribers.")
        }
        guard (0...100).contains(share) else {
            throw ValidationError("--share must be 0 to 100.")
        }
    }

    func run() async throws {
        var scenario = FilterCost()
        scenario.subscribers = subscribers
        scenario.filters = filters ?? subscribers
        scenario.share = share
        scenario.rate = rate
        scenario.bytes = event.size
        scenario.duration = duration
        try await bench.measure(
            "filters", scenario, connections: subscribers + 1, rounds: rounds.pairs)
    }
}
