internal import ArgumentParser
internal import SluiceClient

/// The command `sluice topic purge`.
struct TopicPurgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Delete the events of topics, all or those before an offset.",
        discussion: """
            Examples:
              sluice topic purge orders.eu --before 1000
              sluice topic purge orders.eu
              sluice topic purge 'demo.>' --yes

            The topic, its settings and its offsets stay. It names what is lost and asks, unless \
            --yes is given. Without --before, what is published meanwhile is kept.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: ArgumentHelp("A topic, or a pattern in quotes.", valueName: "pattern"))
    var pattern: String

    @Option(help: ArgumentHelp("The first offset to keep; of one topic.", valueName: "offset"))
    var before: Int64?

    @Flag(help: "Do not ask.")
    var yes = false

    @Flag(help: "Print the topics as they are then, one JSON object a line.")
    var json = false

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        let pattern = try checkedPatterns([pattern])[0]
        if let before, before < 1 { throw ValidationError("--before must be at least 1.") }
        if before != nil, isPattern(pattern) {
            throw ValidationError("--before is an offset of one topic, not of a pattern.")
        }
        let client = try connection.client()
        let topics = try await client.chosenTopics(pattern).filter { $0.eventCount > 0 }
        try LossQuestion(isGiven: yes || topics.isEmpty)
            .require("purge", topics.map { Self.loss(of: $0, before: before) })
        for topic in topics {
            let purged = try await client.purgeTopic(
                topic.name, before: before ?? topic.latest + 1, ifRevision: topic.revision)
            if json {
                Output.standard.write(purged.json + [0x0A])
            } else {
                Output.standard.line(
                    "purged \(purged.name): \(counted(purged.purged ?? 0, "event"))")
            }
        }
        if topics.isEmpty { Output.error.line("there are no events") }
    }

    /// What a purge takes away; of a part of the events, nobody knows the bytes.
    static func loss(of topic: TopicInfo, before: Int64?) -> String {
        guard let before, before <= topic.latest else {
            return "\(topic.name): \(Holdings([topic]).text)"
        }
        let count = max(0, before - topic.earliest)
        return "\(topic.name): \(grouped(count)) of \(Holdings([topic]).text)"
    }
}
