internal import ArgumentParser
internal import Bench

/// The command `sluice bench publish`.
struct BenchPublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "How many events over HTTP are committed, and what each costs.",
        discussion: """
            Each request is answered behind the commit, and the next one is sent then. At the end \
            all events are read from the log, and checked.

            Examples:
              sluice bench publish
              sluice bench publish --outstanding 64 --connections 16
              sluice bench publish --batch 500 --connections 4 --outstanding 4
            """)

    @OptionGroup var bench: BenchOptions

    @OptionGroup var rounds: RoundsOption

    @Option(help: ArgumentHelp("Connections.", valueName: "number"))
    var connections = 4

    @Option(
        help: ArgumentHelp(
            "Requests under way at a time, over all connections.", valueName: "number"))
    var outstanding = 16

    @Option(
        help: ArgumentHelp(
            "Events of a request; more than 1 are NDJSON.", valueName: "number"))
    var batch = 1

    @Option(
        help: ArgumentHelp("Topics that the connections publish to, in turn.", valueName: "number"))
    var topics = 1

    @OptionGroup var event: EventSizeOption

    @Option(
        help: ArgumentHelp("How long it is measured (default: 5s).", valueName: "duration"),
        transform: BenchOptions.duration)
    var duration = Duration.seconds(5)

    func validate() throws {
        guard topics > 0, connections >= topics, outstanding >= connections else {
            throw ValidationError(
                "--topics must be above 0, --connections at least as many, "
                    + "and --outstanding at least as many as these.")
        }
        guard (1...10_000).contains(batch) else {
            throw ValidationError("--batch must be 1 to 10000.")
        }
    }

    func run() async throws {
        var scenario = Publishes()
        scenario.connections = connections
        scenario.outstanding = outstanding
        scenario.topics = topics
        scenario.bytes = event.size
        scenario.batch = batch
        scenario.duration = duration
        try await bench.measure(
            "publish", scenario, connections: connections + topics, rounds: rounds.pairs)
    }
}
