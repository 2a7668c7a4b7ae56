internal import ArgumentParser
internal import DurableLog

/// The command `sluice outbox retry`.
struct OutboxRetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Send refused events again, behind what waits now.",
        discussion: """
            Examples:
              sluice outbox retry 4711 4712
              sluice outbox retry --all

            What is refused again comes back to the list under a new id.
            """)

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var choice: OutboxChoice

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        let outbox = try database.outbox()
        let ids = try await outbox.chosen(choice)
        let count = try await outbox.retry(ids)
        Output.standard.line("\(count) \(count == 1 ? "event goes" : "events go") again")
    }
}

extension OutboxDatabase {
    /// The ids that a command is about.
    ///
    /// - Throws: `refused` when one of those that were named is not there; nothing is done then.
    func chosen(_ choice: OutboxChoice) async throws -> [Int64] {
        let found = try await ids(among: choice.all ? nil : choice.ids)
        let missing = Set(choice.ids).subtracting(found).sorted()
        guard missing.isEmpty else {
            throw CommandFailure(
                .refused,
                "No refused event has the id \(missing.map(String.init).joined(separator: ", ")).",
                remedy: "See 'sluice outbox list'; what was retried has left it.")
        }
        return found
    }
}
