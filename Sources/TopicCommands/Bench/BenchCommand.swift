internal import ArgumentParser
internal import Bench
internal import BrokerRuntime
internal import EventModel
internal import SluiceClient

/// The command `sluice bench`.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure a broker under load, and check that it delivers everything.",
        discussion: """
            Each scenario works in topics of its own, bench.…, which it deletes at its end; \
            the token must allow to publish to them, to subscribe to them and to delete them.

            Examples:
              sluice bench slow
              sluice bench storm --clients 1000 --server-pid "$(pgrep -x sluice)"
            """,
        subcommands: [BenchSlowCommand.self, BenchStormCommand.self])
}

/// What all scenarios take.
struct BenchOptions: ParsableArguments {
    @OptionGroup var connection: ConnectionOptions

    @Option(
        help: ArgumentHelp(
            "Event loops of the load, beside one for what is measured.", valueName: "number"))
    var loops = 1

    @Option(
        help: ArgumentHelp(
            "The broker's process on this machine; its CPU time and memory are then measured, too.",
            valueName: "pid"))
    var serverPid: Int32?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard (1...64).contains(loops) else {
            throw ValidationError("--loops must be 1 to 64.")
        }
        if let serverPid, ProcessUsage(pid: serverPid) == nil {
            throw ValidationError("--server-pid \(serverPid) is no process that can be read.")
        }
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

    /// Runs a scenario against the broker, with progress on the terminal.
    func run<Outcome: Sendable>(
        connections: Int,
        _ scenario: (BenchBroker, @escaping @Sendable (String) -> Void) async throws -> Outcome
    ) async throws -> Outcome {
        CommandLineProgram.exitOnInterrupt()
        // Beside the connections: libraries, the terminal, the loops.
        try OpenFiles.allow(connections + 64)
        let broker = try BenchBroker(
            connection.configuration(host: .current(), file: ConnectionFile.read(path:)),
            loops: loops, pid: serverPid)
        let progress = SharedProgress()
        defer { progress.clear() }
        do {
            let outcome = try await scenario(broker) { progress.show($0) }
            try await broker.shutDown()
            return outcome
        } catch let error as BenchError {
            throw CommandFailure(
                .failed, error.message, remedy: "Lower the load, or see the broker's log.")
        }
    }

    /// Prints what a scenario found, and fails if something was lost without a word.
    func report(isSound: Bool, end: String?, _ lines: [String], json: [UInt8]) throws {
        if self.json {
            Output.standard.write(json + [0x0A])
        } else {
            for line in lines { Output.standard.line(line) }
        }
        guard isSound else {
            let reason = end.map { " The first session that ended: \($0)." } ?? ""
            throw CommandFailure(
                .failed, "Not everything was delivered as promised.\(reason)",
                remedy: "See the broker's log; if it was no limit or restart, report it.")
        }
    }
}

/// 1,234,567 ns is `1.23 ms`.
func shortTime(nanoseconds: Int64) -> String {
    let value = Double(nanoseconds)
    for (unit, size) in [("s", 1e9), ("ms", 1e6), ("us", 1e3)] where value >= size {
        let digits = value / size
        return (digits >= 100 ? "\(Int(digits))" : "\((digits * 100).rounded() / 100)") + " \(unit)"
    }
    return "\(nanoseconds) ns"
}
