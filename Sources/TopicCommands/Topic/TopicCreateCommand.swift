internal import ArgumentParser
internal import SluiceClient

/// The command `sluice topic create`.
struct TopicCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Create a topic; refused (4) if there is one of the name.",
        discussion: """
            Examples:
              sluice topic create orders.eu
              sluice topic create orders.eu --retain-age 7d --retain-bytes 1GiB
              sluice topic create audit.logins --retain-age unlimited --description 'Who came when'
              sluice topic create cursors.board-7 --ephemeral

            What is not given has the server's default. Publishing creates topics, too, unless the \
            broker's create_topics is false.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: ArgumentHelp("The topic, like orders.eu.", valueName: "topic"))
    var topic: String

    @Flag(help: "Keep no events: who listens gets them, and nobody else.")
    var ephemeral = false

    @OptionGroup(title: "Settings") var settings: TopicSettingOptions

    @Flag(help: "Print the topic as JSON.")
    var json = false

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        let topic = try checkedTopic(topic)
        var options = settings.options
        if ephemeral { options.isDurable = false }
        let info = try await connection.client().createTopic(topic, options)
        if json {
            Output.standard.write(info.json + [0x0A])
        } else {
            Output.standard.line("created \(info.name)")
        }
    }
}
