internal import ArgumentParser
internal import SluiceClient

/// The command `sluice topic list`.
struct TopicListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List topics by name.",
        discussion: """
            Examples:
              sluice topic list
              sluice topic list 'orders.>'
              sluice topic list --json | jq -r .topic
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: ArgumentHelp("Only topics that match; quote it.", valueName: "pattern"))
    var pattern = ">"

    @Flag(help: "Print one JSON object a topic.")
    var json = false

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        let pattern = try checkedPatterns([pattern])[0]
        let client = try connection.client()
        let topics = try await client.allTopics(matching: pattern)
        if json {
            Output.standard.write(topics.flatMap { $0.json + [0x0A] })
        } else if topics.isEmpty {
            Output.error.line("no topic matches")
        } else {
            for line in Self.table(topics).lines(width: Output.standard.columns) {
                Output.standard.line(line)
            }
        }
    }

    static func table(_ topics: [TopicInfo]) -> Table {
        var table = Table([
            ("TOPIC", .left), ("EVENTS", .right), ("LATEST", .right), ("SIZE", .right),
            ("CREATED", .left), ("DESCRIPTION", .left),
        ])
        for topic in topics {
            table.add([
                topic.name, String(topic.eventCount),
                String(topic.latest), topic.isDurable ? roundedSize(topic.bytes) : "ephemeral",
                shortTime(topic.created), topic.description,
            ])
        }
        return table
    }
}

/// A size for people: at most four digits and a unit.
func roundedSize(_ bytes: Int64) -> String {
    var value = Double(bytes)
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1000 {
            return unit == "B" || value >= 100
                ? "\(Int(value)) \(unit)" : "\((value * 10).rounded(.down) / 10) \(unit)"
        }
        value /= 1024
    }
    return "\((value * 10).rounded(.down) / 10) TiB"
}

/// `2026-01-01T00:00:00.000000Z` without its fraction, for tables.
func shortTime(_ time: String) -> String {
    guard let dot = time.firstIndex(of: ".") else { return time }
    return String(time[..<dot]) + "Z"
}
