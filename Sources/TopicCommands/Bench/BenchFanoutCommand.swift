internal import ArgumentParser
internal import Bench

/// The command `sluice bench fanout`.
struct BenchFanoutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fanout",
        abstract: "What it costs to deliver events to many subscribers.",
        discussion: """
            With --outstanding the next event is published when one has reached all subscribers of \
            its topic: one at a time shows what a delivery costs alone, more what is saved by \
            sending events together. With --rate they are published at that rate, whether or not \
            the broker keeps up. Times are those from when an event was to be published.

            Examples:
              sluice bench fanout
              sluice bench fanout --outstanding 8
              sluice bench fanout --subscribers 1000 --topics 1000 --rate 1000
            """)

    @OptionGroup var bench: BenchOptions

    @OptionGroup var rounds: RoundsOption

    @Option(help: ArgumentHelp("Subscribers, of one topic each.", valueName: "number"))
    var subscribers = 1000

    @Option(help: ArgumentHelp("Topics that they follow, in turn.", valueName: "number"))
    var topics = 1

    @Option(
        help: ArgumentHelp(
            "Events that are under way at a time (default: 1).", valueName: "number"))
    var outstanding: Int?

    @Option(
        help: ArgumentHelp("Events a second, over all topics, instead.", valueName: "number"))
    var rate: Double?

    @OptionGroup var event: EventSizeOption

    @Option(
        help: ArgumentHelp("How long it is measured (default: 5s).", valueName: "duration"),
        transform: BenchOptions.duration)
    var duration = Duration.seconds(5)

    func validate() throws {
        guard topics > 0, subscribers >= topics else {
            throw ValidationError("--topics must be above 0, and at most --subscribers.")
        }
        guard rate == nil || outstanding == nil else {
            throw ValidationError("Say either --outstanding or --rate.")
        }
        guard (1...1000).contains(outstanding ?? 1), rate ?? 1 > 0 else {
            throw ValidationError("--outstanding must be 1 to 1000, and --rate above 0.")
        }
    }

    func run() async throws {
        var scenario = FanOut()
        scenario.subscribers = subscribers
        scenario.topics = topics
        scenario.bytes = event.size
        scenario.pace = rate.map { .rate($0) } ?? .outstanding(outstanding ?? 1)
        scenario.duration = duration
        try await bench.measure(
            "fanout", scenario, connections: subscribers + 1, rounds: rounds.pairs)
    }
}
