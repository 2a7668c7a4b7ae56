internal import ArgumentParser

/// The command `sluice outbox`.
struct OutboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outbox",
        abstract: "See and mend what SQL publishers sent and the log refused.",
        discussion: """
            Examples:
              sluice outbox list
              sluice outbox retry --all
              sluice outbox discard 4711 4712

            An event from SQL that can't be appended stops nobody: it is kept aside with the reason. \
            Mend the reason, then retry.

            These commands work on the database itself: run them where the broker runs, or give \
            --database-url.
            """,
        subcommands: [
            OutboxListCommand.self, OutboxRetryCommand.self, OutboxDiscardCommand.self,
        ])
}

/// Which refused events a command is about.
struct OutboxChoice: ParsableArguments {
    @Argument(help: ArgumentHelp("Ids of 'sluice outbox list'.", valueName: "id"))
    var ids: [Int64] = []

    @Flag(help: "All that there are now.")
    var all = false

    func validate() throws {
        guard ids.isEmpty == all else {
            throw ValidationError("Give ids of 'sluice outbox list', or --all.")
        }
    }
}
