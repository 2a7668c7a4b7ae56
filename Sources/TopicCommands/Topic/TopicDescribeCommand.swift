internal import ArgumentParser
internal import SluiceClient

/// The command `sluice topic describe`.
struct TopicDescribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe",
        abstract: "Show a topic's settings and what it holds.",
        discussion: """
            Examples:
              sluice topic describe orders.eu
              sluice topic describe orders.eu --json | jq .latest
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: ArgumentHelp("The topic, like orders.eu.", valueName: "topic"))
    var topic: String

    @Flag(help: "Print the topic as JSON.")
    var json = false

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        let info = try await connection.client().topic(try checkedTopic(topic))
        if json { return Output.standard.write(info.json + [0x0A]) }
        for line in Self.table(info).lines(width: Output.standard.columns) {
            Output.standard.line(line)
        }
    }

    static func table(_ topic: TopicInfo) -> Table {
        let isEmpty = topic.latest < topic.earliest
        var table = Table([("TOPIC", .left), (topic.name, .left)])
        table.add(["offsets", isEmpty ? "none" : "\(topic.earliest) to \(topic.latest)"])
        table.add(["latest", String(topic.latest)])
        let effective = topic.effective
        if topic.isDurable {
            table.add(["size", roundedSize(topic.bytes)])
            table.add(["kept for", setting(topic.retainAge, effective.retainAge)])
            table.add(["kept events", setting(topic.retainCount, effective.retainCount)])
            table.add([
                "kept bytes",
                setting(topic.retainBytes.map(shownBytes), effective.retainBytes.map(shownBytes)),
            ])
        }
        table.add([
            "event size",
            setting(topic.eventBytes.map(roundedSize), effective.eventBytes.map(roundedSize)),
        ])
        table.add(["overflow", topic.overflow ?? "default"])
        table.add(["durable", topic.isDurable ? "yes" : "no, ephemeral"])
        table.add(["created", shortTime(topic.created)])
        table.add(["revision", String(topic.revision)])
        if !topic.description.isEmpty { table.add(["description", topic.description]) }
        return table
    }

    /// A setting, or the default with what it comes to.
    private static func setting(_ own: String?, _ effective: String?) -> String {
        own ?? effective.map { "default (\($0))" } ?? "default"
    }

    /// `1073741824` as `1.0 GiB`; `unlimited` as it is.
    private static func shownBytes(_ bound: String) -> String {
        Int64(bound).map(roundedSize) ?? bound
    }
}
