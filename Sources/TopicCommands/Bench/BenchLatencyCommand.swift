internal import ArgumentParser
internal import Bench

/// The command `sluice bench latency`.
struct BenchLatencyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "latency",
        abstract: "How long events are under way at a steady rate.",
        discussion: """
            Each event counts from the moment at which it was to be published, so that nothing is \
            left out when the broker does not keep up. The answer to the publish comes behind the \
            commit; its time is the commit's share of the delivery's.

            Examples:
              sluice bench latency
              sluice bench latency --rate 2000 --topics 100 --subscribers 1000 --duration 30s
            """)

    @OptionGroup var bench: BenchOptions

    @OptionGroup var rounds: RoundsOption

    @Option(help: ArgumentHelp("Events a second, over all topics.", valueName: "number"))
    var rate = 1000.0

    @Option(help: ArgumentHelp("Subscribers, of one topic each.", valueName: "number"))
    var subscribers = 100

    @Option(help: ArgumentHelp("Topics that they follow, in turn.", valueName: "number"))
    var topics = 1

    @OptionGroup var event: EventSizeOption

    @Option(
        help: ArgumentHelp("How long it is measured (default: 10s).", valueName: "duration"),
        transform: BenchOptions.duration)
    var duration = Duration.seconds(10)

    func validate() throws {
        guard topics > 0, subscribers >= topics, rate > 0 else {
            throw ValidationError(
                "--topics and --rate must be above 0, and --topics at most --subscribers.")
        }
    }

    func run() async throws {
        var scenario = FanOut()
        scenario.name = "latency"
        scenario.subscribers = subscribers
        scenario.topics = topics
        scenario.bytes = event.size
        scenario.pace = .rate(rate)
        scenario.duration = duration
        try await bench.measure(
            "latency", scenario, connections: subscribers + 1, rounds: rounds.pairs)
    }
}
