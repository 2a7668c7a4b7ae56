internal import ArgumentParser
internal import SluiceClient

/// The command `sluice topic delete`.
struct TopicDeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete topics with their events.",
        discussion: """
            Examples:
              sluice topic delete orders.eu
              sluice topic delete 'demo.>' --yes
              sluice topic delete orders.eu --yes --json

            It names what is lost and asks, unless --yes is given. Subscribers are told at once; \
            publishing to the name creates a new topic, unless the broker's create_topics is false.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: ArgumentHelp("A topic, or a pattern in quotes.", valueName: "pattern"))
    var pattern: String

    @Flag(help: "Do not ask.")
    var yes = false

    @Flag(help: "Print the topics as they were, one JSON object a line.")
    var json = false

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        let pattern = try checkedPatterns([pattern])[0]
        let client = try connection.client()
        let topics = try await client.chosenTopics(pattern)
        try LossQuestion(isGiven: yes).require(
            "delete", topics.map { "\($0.name): \(Holdings([$0]).text)" })
        for topic in topics {
            // Not another topic that got the name while the question was open.
            let gone = try await client.deleteTopic(topic.name, ifRevision: topic.revision)
            if json {
                Output.standard.write(gone.json + [0x0A])
            } else {
                Output.standard.line("deleted \(gone.name): \(Holdings([gone]).text)")
            }
        }
    }
}
