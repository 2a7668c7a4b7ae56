internal import ArgumentParser

/// The command `sluice token`.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Create, list and revoke the tokens that clients show.",
        discussion: """
            Examples:
              sluice token create --name checkout --ttl 30d
              sluice token list
              sluice token revoke 0f3Kq9ZbTa

            These commands work on the database itself: run them where the broker runs, or give \
            --database-url.
            """,
        subcommands: [TokenCreateCommand.self, TokenListCommand.self, TokenRevokeCommand.self])
}
