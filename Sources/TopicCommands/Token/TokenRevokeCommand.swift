internal import AccessControl
internal import ArgumentParser
internal import DurableLog
internal import EventModel

/// The command `sluice token revoke`.
struct TokenRevokeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "End a token; brokers notice within a minute.",
        discussion: """
            Example:
              sluice token revoke 0f3Kq9ZbTa
            """)

    @OptionGroup var database: DatabaseOptions

    @Argument(
        help: ArgumentHelp("The id of 'sluice token list', or a whole token.", valueName: "id"))
    var id: String

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        let id = Token(id)?.id ?? id
        let isDone = try await database.tokens().revoke(id: id)
        guard isDone else {
            throw CommandFailure(
                .refused, "There is no token \(quoted(id)), or it was revoked before.",
                remedy: "See 'sluice token list'.")
        }
        Output.standard.line("revoked \(id)")
    }
}
