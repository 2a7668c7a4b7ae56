internal import ArgumentParser
internal import Bench
internal import BrokerRuntime
internal import EventModel

/// The command `sluice bench`.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure a broker under load, and check that it delivers everything.",
        discussion: """
            Each scenario works in topics of its own, bench.…, which it deletes at its end; \
            the token must allow to publish to them, to subscribe to them and to delete them.

            With --server-pid it tells the broker's CPU time and memory; that of its PostgreSQL is \
            told apart. With --against it does the same to a second broker, an older release for \
            instance, in turn, and compares.

            Examples:
              sluice bench fanout --server-pid "$(pgrep -x sluice)"
              sluice bench publish --outstanding 64 --connections 8
              sluice bench idle --connections 100000 --server-pid "$(pgrep -x sluice)"
              sluice bench latency --rate 1000 --subscribers 100 --json
              sluice bench fanout --pairs 5 --against https://127.0.0.1:9443 \\
                --against-connection-file old/connection.json
            """,
        subcommands: [
            BenchFanoutCommand.self, BenchPublishCommand.self, BenchIdleCommand.self,
            BenchLatencyCommand.self, BenchFiltersCommand.self, BenchSlowCommand.self,
            BenchStormCommand.self,
        ])
}

/// What all scenarios take.
struct BenchOptions: ParsableArguments {
    @OptionGroup var connection: ConnectionOptions

    @OptionGroup var against: AgainstOptions

    @Option(
        help: ArgumentHelp(
            "Event loops of the load, beside one for what is measured.", valueName: "number"))
    var loops = 1

    @Option(
        help: ArgumentHelp(
            """
            The broker's process on this machine; its CPU time and memory are then measured, too. \
            Further ones, like a PostgreSQL that it did not start itself, behind a comma.
            """,
            valueName: "pid"),
        transform: ProcessList.init)
    var serverPid: ProcessList?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard (1...64).contains(loops) else {
            throw ValidationError("--loops must be 1 to 64.")
        }
        try serverPid?.validate("--server-pid")
    }

    /// A size as it is written in options.
    static func size(_ text: String) throws -> Int {
        guard let bytes = parseSize(text) else {
            throw ValidationError("'\(text)' is no size like 512 or 8KiB.")
        }
        return bytes
    }

    /// A duration as it is written in options.
    static func duration(_ text: String) throws -> Duration {
        guard let duration = parseDuration(text), duration > .zero else {
            throw ValidationError("'\(text)' is no duration like 500ms or 10s.")
        }
        return duration
    }

    /// Runs a scenario, which opens so many connections, `rounds` times against the broker, and
    /// against the second one if there is one, with progress on the terminal.
    func run<Scenario: BenchScenario>(
        _ scenario: Scenario, connections: Int, rounds: Int
    ) async throws -> BenchRounds<Scenario.Outcome> {
        CommandLineProgram.exitOnInterrupt()
        // Beside the connections: libraries, the terminal, the loops.
        try OpenFiles.allow(connections + 64)
        let broker = try BenchBroker(
            connection.configuration(host: .current(), file: ConnectionFile.read(path:)),
            loops: loops, pids: serverPid?.pids ?? [])
        let other = try against.configuration(host: .current()).map {
            try BenchBroker($0, loops: loops, pids: against.againstPid?.pids ?? [])
        }
        let progress = SharedProgress()
        defer { progress.clear() }
        do {
            let found = try await BenchRounds.run(
                scenario, on: broker, against: other, count: rounds
            ) { progress.show($0) }
            try await broker.shutDown()
            try await other?.shutDown()
            return found
        } catch let error as BenchError {
            throw CommandFailure(.failed, error.message, remedy: error.remedy)
        }
    }

    /// Runs a scenario and prints what it found; fails if something was lost without a word.
    func measure(
        _ name: String, _ scenario: some BenchScenario, connections: Int, rounds: Int
    ) async throws {
        let found = try await run(scenario, connections: connections, rounds: rounds)
        try report(
            isSound: found.isSound, end: found.end,
            BenchReport.lines(found, hint: serverPid == nil), json: BenchReport.json(name, found))
    }

    /// Prints what a scenario found, and fails if something was lost without a word.
    func report(
        isSound: Bool, end: String?, _ lines: @autoclosure () -> [String],
        json: @autoclosure () -> [UInt8]
    ) throws {
        if self.json {
            Output.standard.write(json() + [0x0A])
        } else {
            for line in lines() { Output.standard.line(line) }
        }
        guard isSound else {
            let reason = end.map { " The first session that ended: \($0)." } ?? ""
            throw CommandFailure(
                .failed, "Not everything was delivered as promised.\(reason)",
                remedy: "See the broker's log; if it was no limit or restart, report it.")
        }
    }
}

/// How large events are.
struct EventSizeOption: ParsableArguments {
    @Option(
        help: ArgumentHelp("Bytes of an event (default: 128).", valueName: "size"),
        transform: BenchOptions.size)
    var size = 128
}

/// How often a scenario is run.
struct RoundsOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Times that it is run; the figures are medians. With --against, pairs.",
            valueName: "number"))
    var pairs = 1

    func validate() throws {
        guard (1...1000).contains(pairs) else {
            throw ValidationError("--pairs must be 1 to 1000.")
        }
    }
}

/// Processes on this machine, the broker's first.
struct ProcessList: Equatable, Sendable {
    let pids: [Int32]

    init(_ text: String) throws {
        pids = try text.split(separator: ",", omittingEmptySubsequences: false).map { word in
            guard let pid = Int32(word), pid > 0 else {
                throw ValidationError("'\(text)' is no process id, and no list like 41,42.")
            }
            return pid
        }
    }

    /// Throws if one of them can't be measured.
    func validate(_ option: String) throws {
        for pid in pids where ProcessUsage(pid: pid) == nil {
            throw ValidationError("\(option) \(pid) is no process that can be read.")
        }
    }
}
