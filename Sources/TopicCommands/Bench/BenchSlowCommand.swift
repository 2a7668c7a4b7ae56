internal import ArgumentParser
internal import Bench
internal import EventModel

/// The command `sluice bench slow`.
struct BenchSlowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slow",
        abstract: "What readers that stop cost the others.",
        discussion: """
            Stretches in which all subscribers read and stretches in which some have stopped \
            take turns. Then those read on, and are to get everything, or to be told what they \
            miss. The ratio is that of the others' p99.

            Examples:
              sluice bench slow
              sluice bench slow --subscribers 200 --stopping 20 --stretch 5s --pairs 3
              sluice bench slow --against-connection-file old/connection.json
            """)

    @OptionGroup var bench: BenchOptions

    @Option(help: ArgumentHelp("Subscribers of one topic.", valueName: "number"))
    var subscribers = 1000

    @Option(help: ArgumentHelp("Of them, those that stop to read.", valueName: "number"))
    var stopping = 100

    @Option(help: ArgumentHelp("Events a second.", valueName: "number"))
    var rate = 20.0

    @Option(
        help: ArgumentHelp("Bytes of an event (default: 8KiB).", valueName: "size"),
        transform: BenchOptions.size)
    var size = 8192

    @Option(
        help: ArgumentHelp("How long each stretch takes (default: 10s).", valueName: "duration"),
        transform: BenchOptions.duration)
    var stretch = Duration.seconds(10)

    @Option(
        help: ArgumentHelp(
            "Pairs of stretches; with --against of each broker.", valueName: "number"))
    var pairs = 5

    func validate() throws {
        guard subscribers > 0, (0...subscribers).contains(stopping), rate > 0, pairs > 0 else {
            throw ValidationError(
                "--subscribers, --rate and --pairs must be above 0, "
                    + "and --stopping at most --subscribers.")
        }
    }

    func run() async throws {
        var scenario = SlowReaders()
        scenario.subscribers = subscribers
        scenario.stopping = stopping
        scenario.rate = rate
        scenario.bytes = size
        scenario.stretch = stretch
        scenario.pairs = pairs
        guard !bench.against.isGiven else {
            // One pair of stretches of each broker, in turn.
            scenario.pairs = 1
            try await bench.measure(
                "slow", scenario, connections: subscribers + 1, rounds: pairs)
            return
        }
        let found = try await bench.run(scenario, connections: subscribers + 1, rounds: 1)
        for outcome in found.own {
            try bench.report(
                isSound: outcome.isSound, end: outcome.end, Self.lines(outcome),
                json: Self.json(outcome))
        }
    }

    static func lines(_ outcome: SlowReaders.Outcome) -> [String] {
        var table = Table([
            ("PAIR", .right), ("P50", .right), ("P99", .right), ("P99, SOME STOPPED", .right),
            ("RATIO", .right), ("CAUGHT UP", .right), ("CPU", .right), ("MEMORY", .right),
        ])
        for (index, pair) in outcome.pairs.enumerated() {
            table.add([
                "\(index + 1)", shortTime(nanoseconds: pair.reading.p50),
                shortTime(nanoseconds: pair.reading.p99),
                shortTime(nanoseconds: pair.stopped.p99), twoDigits(pair.ratio),
                pair.behind > 0
                    ? "\(pair.behind) never" : shortTime(nanoseconds: pair.caughtUp),
                change(pair.cpuReading, pair.cpuStopped) { "\($0) ms" },
                change(pair.memoryReading, pair.memoryStopped, roundedSize),
            ])
        }
        return table.lines(width: Output.standard.columns)
            + ["", "ratio of p99, median: \(twoDigits(outcome.ratio))", words(outcome.tally)]
    }

    private static func change(
        _ before: Int64?, _ after: Int64?, _ words: (Int64) -> String
    ) -> String {
        guard let before, let after else { return "-" }
        return "\(words(before)) → \(words(after))"
    }

    static func json(_ outcome: SlowReaders.Outcome) -> [UInt8] {
        var writer = JSONWriter()
        writer.raw(#"{"scenario":"slow","ratio":"#)
        writer.raw(Array(twoDigits(outcome.ratio).utf8))
        writer.raw(#","pairs":["#)
        for (index, pair) in outcome.pairs.enumerated() {
            if index > 0 { writer.raw(",") }
            writer.raw(#"{"reading":"#)
            writer.latency(pair.reading)
            writer.raw(#","stopped":"#)
            writer.latency(pair.stopped)
            writer.raw(#","caught_up_ns":"#)
            writer.integer(pair.caughtUp)
            writer.raw(#","behind":"#)
            writer.integer(pair.behind)
            writer.optional("cpu_reading_ms", pair.cpuReading)
            writer.optional("cpu_stopped_ms", pair.cpuStopped)
            writer.optional("memory_reading_bytes", pair.memoryReading)
            writer.optional("memory_stopped_bytes", pair.memoryStopped)
            writer.raw("}")
        }
        writer.raw("],")
        writer.tally("tally", outcome.tally)
        writer.raw("}")
        return writer.bytes
    }
}
