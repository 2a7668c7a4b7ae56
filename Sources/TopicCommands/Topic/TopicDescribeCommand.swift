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
        if topic.isDurable {
            table.add(["size", roundedSize(topic.bytes)])
            table.add(["kept for", topic.retainAge ?? "server's default"])
            table.add(["kept events", topic.retainCount ?? "server's default"])
            table.add(["kept bytes", topic.retainBytes ?? "server's default"])
        }
        table.add(["durable", topic.isDurable ? "yes" : "no, ephemeral"])
        table.add(["created", shortTime(topic.created)])
        table.add(["revision", String(topic.revision)])
        if !topic.description.isEmpty { table.add(["description", topic.description]) }
        return table
    }
}
