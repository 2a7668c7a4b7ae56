internal import ArgumentParser

/// The command `sluice topic`.
struct TopicCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topic",
        abstract: "Manage topics, and move their events.",
        discussion: """
            Examples:
              sluice topic create orders.eu --retain-age 7d
              sluice topic list 'orders.>'
              sluice topic describe orders.eu
              sluice topic alter 'orders.>' --retain-age 30d
              sluice topic export orders.eu > orders.ndjson
            """,
        subcommands: [
            TopicCreateCommand.self, TopicListCommand.self, TopicDescribeCommand.self,
            TopicAlterCommand.self, TopicPurgeCommand.self, TopicDeleteCommand.self,
            TopicExportCommand.self, TopicImportCommand.self,
        ])
}
