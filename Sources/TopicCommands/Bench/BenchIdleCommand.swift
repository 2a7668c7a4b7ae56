internal import ArgumentParser
internal import Bench

/// The command `sluice bench idle`.
struct BenchIdleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "idle",
        abstract: "What sessions cost that only wait: the broker, and the kernel.",
        discussion: """
            Each session follows one topic, and gets one event at the end. Many come from several \
            addresses of 127/8, as one has about 28,000 ports; the broker must then be reached at \
            127.0.0.1, and both processes need as many open files (ulimit -Hn), and the broker its \
            connections_max. Memory is counted from the broker's at the first run on, so start it \
            anew before. The kernel's memory is that of the whole machine, for both ends.

            Examples:
              sluice bench idle --connections 1000
              sluice bench idle --connections 100000 --server-pid "$(pgrep -x sluice)"
            """)

    @OptionGroup var bench: BenchOptions

    @OptionGroup var rounds: RoundsOption

    @Option(help: ArgumentHelp("Sessions.", valueName: "number"))
    var connections = 10_000

    @Option(
        help: ArgumentHelp("How long they wait (default: 5s).", valueName: "duration"),
        transform: BenchOptions.duration)
    var hold = Duration.seconds(5)

    func validate() throws {
        guard (1...1_000_000).contains(connections) else {
            throw ValidationError("--connections must be 1 to 1000000.")
        }
    }

    func run() async throws {
        var scenario = IdleConnections()
        scenario.connections = connections
        scenario.hold = hold
        try await bench.measure(
            "idle", scenario, connections: connections + 1, rounds: rounds.pairs)
    }
}
