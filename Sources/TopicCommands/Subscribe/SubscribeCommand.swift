internal import ArgumentParser
internal import EventModel
internal import SluiceClient

/// The command `sluice subscribe`.
struct SubscribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "subscribe",
        abstract: "Print events as they arrive, one a line.",
        discussion: """
            Examples:
              sluice subscribe 'demo.>'
              sluice subscribe orders.eu orders.us --from last:10
              sluice subscribe 'orders.*' --from ago:15m --json | jq .data
              sluice subscribe orders.eu --from earliest --count 100 --timeout 10s
              sluice subscribe 'ticks.*' --filter '$.price > 100 && $.symbol == "ACME"'
              sluice subscribe 'ticks.*' --max-rate 10 --overflow conflate
              sluice subscribe 'orders.>' --credit 50 --json | slow-consumer
              sluice subscribe 'orders.>' --json --resume orders.ndjson >> orders.ndjson

            A pattern is a topic's name in which '*' stands for one segment and a final '>' for the \
            rest; quote it, or the shell takes it. Start positions: latest, earliest, last:10, \
            ago:15m, time:2026-01-01T00:00:00Z, and for one exact topic offset:17 and after:CURSOR.

            A line is topic, offset and data. What else is told (gaps, lost connections) goes to \
            standard error; with --json all of it goes to standard output, as the broker's messages. \
            After a lost connection the subscription goes on exactly where it broke off, and with \
            --resume where a file of lines that --json printed breaks off; as long as that is empty, \
            --from counts.

            A filter is a condition of SQL/JSON path on an event's data ('$.price > 100'), or on \
            $key, $topic and $attributes; quote it in '…'. What it leaves out is no gap.

            Who reads too slowly gets everything from the log at its own pace (replay), the newest \
            event of each key (conflate), the newest ones (drop_oldest), or a new connection \
            (disconnect); what is left out is told as a gap.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(
        help: ArgumentHelp("Topics and patterns; together one subscription.", valueName: "pattern"))
    var patterns: [String]

    @Option(help: ArgumentHelp("Where to start.", valueName: "start"))
    var from = "latest"

    @Option(help: ArgumentHelp("Print only the events that fulfil this.", valueName: "condition"))
    var filter: String?

    @Option(
        help: ArgumentHelp("Go on behind what --json printed to this file.", valueName: "file"))
    var resume: String?

    @Option(
        help: ArgumentHelp(
            "What happens when this reads too slowly: replay, conflate, drop_oldest, disconnect.",
            discussion: "Without it, what each topic says.", valueName: "policy"))
    var overflow: String?

    @Option(
        help: ArgumentHelp(
            "The most events a second of each topic; the newest of each key are kept.",
            valueName: "number"))
    var maxRate: Int?

    @Option(
        help: ArgumentHelp(
            "Events that the broker may send ahead of what is printed.", valueName: "number"))
    var credit: Int?

    @Flag(help: "Print the broker's messages as JSON lines.")
    var json = false

    @Option(help: ArgumentHelp("End after this many events.", valueName: "number"))
    var count: Int?

    @Option(
        help: ArgumentHelp(
            "End after this time; with --count, the exit code is 1 if fewer came.",
            valueName: "duration"))
    var timeout: String?

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        if let count, count < 1 { throw ValidationError("--count must be at least 1.") }
        let patterns = try checkedPatterns(patterns)
        let limit = try timeout.map { text in try checkedDuration(text, option: "--timeout") }
        do {
            let subscription = try connection.client().subscribe(
                to: patterns, from: from,
                resuming: try resume.map(printedPosition(path:)) ?? SubscriptionPosition(),
                options: try options())
            try await printItems(of: subscription, within: limit)
        } catch {
            throw showing(error, in: filter)
        }
    }

    private func printItems(of subscription: Subscription, within limit: Duration?) async throws {
        guard let limit else { return try await printItems(of: subscription) }
        try await withThrowingTaskGroup { group in
            group.addTask { try await self.printItems(of: subscription) }
            group.addTask {
                try await Task.sleep(for: limit)
                throw TimeIsUp()
            }
            defer { group.cancelAll() }
            do {
                try await group.next()
            } catch is TimeIsUp {
                guard let count else { return }
                throw CommandFailure(
                    .failed, "Fewer than \(count) events came within \(timeout ?? "").",
                    remedy: "Wait longer, or start earlier with --from.")
            }
        }
    }

    func options() throws -> SubscribeOptions {
        var options = SubscribeOptions(maxRate: maxRate, credit: credit, filter: filter)
        if let overflow {
            guard let policy = SubscribeOptions.Overflow(rawValue: overflow) else {
                let known = SubscribeOptions.Overflow.allCases.map(\.rawValue)
                throw ValidationError(
                    "--overflow must be one of \(known.joined(separator: ", ")).")
            }
            options.overflow = policy
        }
        return options
    }

    private struct TimeIsUp: Error {}

    private func printItems(of subscription: Subscription) async throws {
        var iterator = subscription.makeAsyncIterator()
        var printer = ItemPrinter(isJSON: json, remaining: count)
        while !printer.isDone, let items = try await iterator.nextBatch() {
            printer.print(items)
            Output.error.write(printer.takeErrors())
            Output.standard.write(printer.takeOutput())
        }
    }
}
