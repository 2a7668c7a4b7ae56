internal import ArgumentParser
internal import BrokerRuntime
internal import SluiceClient

/// The command `sluice demo`.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Publish this machine's load, memory and network once a second.",
        discussion: """
            Examples:
              sluice demo
              sluice demo --count 10

            The topics are demo.<host>.cpu, demo.<host>.memory and demo.<host>.network. To \
            see the events arriving, type in another terminal:
              sluice subscribe 'demo.>'
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(
        help: ArgumentHelp(
            "End after this many seconds; without it, Ctrl-C ends it.", valueName: "number"))
    var count: Int?

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        if let count, count < 1 { throw ValidationError("--count must be at least 1.") }
        let client = try connection.client(timeout: .seconds(10))
        let host = HostFacts.current().hostSegment
        let machine = MachineEvents(host: host)
        let clock = ContinuousClock()
        var last = Self.counters()
        var lastTime = clock.now
        var progress = Progress()
        for second in 1... {
            try await clock.sleep(until: lastTime + .seconds(1))
            let now = Self.counters()
            let time = clock.now
            let events = machine.events(now, since: last, elapsed: time - lastTime)
            (last, lastTime) = (now, time)
            // The first failure ends the demo, with its reason; later ones are waited out.
            let patience: Duration = second == 1 ? .zero : .seconds(3600)
            _ = try await client.publish(events, idempotencyKey: nil, retryingFor: patience)
            if second == 1 { Output.error.line(Self.introduction(host)) }
            progress.show("\(second * events.count) events published")
            if second == count { break }
        }
        progress.clear()
    }

    private static func introduction(_ host: String) -> String {
        """
        Publishing to demo.\(host).cpu, .memory and .network, once a second. To see it, type in another terminal:
          sluice subscribe 'demo.>'
        Ctrl-C ends it.
        """
    }

    private static func counters() -> MachineCounters {
        MachineCounters { path in
            guard let file = try? InputFile(path: path),
                let bytes = try? file.readAll(bytesMax: 1 << 20)
            else { return "" }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
