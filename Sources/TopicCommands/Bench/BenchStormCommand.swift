internal import ArgumentParser
internal import Bench
internal import EventModel

/// The command `sluice bench storm`.
struct BenchStormCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storm",
        abstract: "Many clients resume one topic at once, while others follow another live.",
        discussion: """
            The clients connect first and then subscribe all at once, behind the same cursor; \
            with --reconnect they connect all at once, too. With --topics each of them resumes one \
            of several: it is fair if the last has its events not much later than half of them. The \
            ratio is that of the p99 of those who follow the other topic.

            Examples:
              sluice bench storm
              sluice bench storm --clients 500 --missed 10000 --reconnect
              sluice bench storm --clients 200 --topics 200
            """)

    @OptionGroup var bench: BenchOptions

    @OptionGroup var rounds: RoundsOption

    @Option(help: ArgumentHelp("Clients that resume.", valueName: "number"))
    var clients = 5000

    @Option(help: ArgumentHelp("Topics that they resume, in turn.", valueName: "number"))
    var topics = 1

    @Option(help: ArgumentHelp("Events that each of them has missed.", valueName: "number"))
    var missed = 1000

    @OptionGroup var event: EventSizeOption

    @Option(help: ArgumentHelp("Subscribers of the other topic.", valueName: "number"))
    var live = 100

    @Option(help: ArgumentHelp("Events a second in the other topic.", valueName: "number"))
    var rate = 100.0

    @Flag(help: "The clients connect all at once, too.")
    var reconnect = false

    @Option(
        help: ArgumentHelp(
            "How long the others are measured before (default: 10s).", valueName: "duration"),
        transform: BenchOptions.duration)
    var calm = Duration.seconds(10)

    func validate() throws {
        guard clients > 0, topics > 0, missed > 0, live > 0, rate > 0 else {
            throw ValidationError(
                "--clients, --topics, --missed, --live and --rate must be above 0.")
        }
    }

    func run() async throws {
        var scenario = ReconnectStorm()
        scenario.clients = clients
        scenario.topics = topics
        scenario.missed = missed
        scenario.bytes = event.size
        scenario.live = live
        scenario.rate = rate
        scenario.connectsInStorm = reconnect
        scenario.calm = calm
        let connections = clients + live + 1
        guard !bench.against.isGiven, rounds.pairs == 1 else {
            try await bench.measure(
                "storm", scenario, connections: connections, rounds: rounds.pairs)
            return
        }
        let found = try await bench.run(scenario, connections: connections, rounds: 1)
        for outcome in found.own {
            try bench.report(
                isSound: outcome.isSound, end: outcome.end, Self.lines(outcome),
                json: Self.json(outcome))
        }
    }

    static func lines(_ outcome: ReconnectStorm.Outcome) -> [String] {
        var table = Table([
            ("THE OTHERS", .left), ("EVENTS", .right), ("P50", .right), ("P99", .right),
            ("MAX", .right),
        ])
        for (name, latency) in [("calm", outcome.calm), ("storm", outcome.storm)] {
            table.add([
                name, "\(latency.events)", shortTime(nanoseconds: latency.p50),
                shortTime(nanoseconds: latency.p99), shortTime(nanoseconds: latency.max),
            ])
        }
        var lines = table.lines(width: Output.standard.columns)
        lines += ["", "ratio of p99: \(twoDigits(outcome.ratio))"]
        let last =
            outcome.behind > 0
            ? "\(outcome.behind) never" : shortTime(nanoseconds: outcome.caughtUpLast)
        let half = shortTime(nanoseconds: outcome.caughtUpHalf)
        lines.append("caught up: half of the clients after \(half), the last after \(last)")
        if let cpu = outcome.cpu, let before = outcome.memoryBefore, let most = outcome.memoryMost {
            lines.append(
                "broker: \(cpu) ms of CPU, memory \(roundedSize(before)) → \(roundedSize(most))")
        }
        return lines + [
            "clients: \(words(outcome.tally))", "others: \(words(outcome.liveTally))",
        ]
    }

    static func json(_ outcome: ReconnectStorm.Outcome) -> [UInt8] {
        var writer = JSONWriter()
        writer.raw(#"{"scenario":"storm","ratio":"#)
        writer.raw(Array(twoDigits(outcome.ratio).utf8))
        writer.raw(#","calm":"#)
        writer.latency(outcome.calm)
        writer.raw(#","storm":"#)
        writer.latency(outcome.storm)
        writer.optional("caught_up_half_ns", outcome.caughtUpHalf)
        writer.optional("caught_up_last_ns", outcome.caughtUpLast)
        writer.raw(#","behind":"#)
        writer.integer(outcome.behind)
        writer.optional("cpu_ms", outcome.cpu)
        writer.optional("memory_before_bytes", outcome.memoryBefore)
        writer.optional("memory_most_bytes", outcome.memoryMost)
        writer.raw(",")
        writer.tally("clients", outcome.tally)
        writer.raw(",")
        writer.tally("others", outcome.liveTally)
        writer.raw("}")
        return writer.bytes
    }
}
