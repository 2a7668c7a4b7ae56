internal import ArgumentParser

/// The command `sluice topic`.
struct TopicCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topic",
        abstract: "Create, list and describe topics.",
        discussion: """
            Examples:
              sluice topic create orders.eu --retain-age 7d
              sluice topic list 'orders.>'
              sluice topic describe orders.eu
            """,
        subcommands: [
            TopicCreateCommand.self, TopicListCommand.self, TopicDescribeCommand.self,
        ])
}
