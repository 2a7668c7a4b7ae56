internal import ArgumentParser
internal import DurableLog
internal import EventModel

/// The command `sluice outbox discard`.
struct OutboxDiscardCommand: AsyncParsableCommand {
    /// Lines of what is lost.
    private static let linesMax = 20

    static let configuration = CommandConfiguration(
        commandName: "discard",
        abstract: "Delete refused events for good; asks before.",
        discussion: """
            Examples:
              sluice outbox discard 4711 4712
              sluice outbox discard --all --yes
            """)

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var choice: OutboxChoice

    @Flag(help: "Do not ask.")
    var yes = false

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        let outbox = try database.outbox()
        let ids = try await outbox.chosen(choice)
        guard !ids.isEmpty else { return Output.error.line("no event was refused") }
        for line in Self.loss(try await outbox.counts(of: ids)) { Output.error.line(line) }
        if !yes {
            try Confirmation.ask("Delete \(ids.count == 1 ? "it" : "them") for good?")
        }
        let count = try await outbox.discard(ids)
        Output.standard.line("\(count) \(count == 1 ? "event" : "events") deleted")
    }

    static func loss(_ counts: [RefusedCount]) -> [String] {
        var lines = counts.prefix(linesMax).map { count in
            "\(count.count) of \(count.topic) (\(count.reason)), "
                + "since \(shortTime(count.oldest.description))"
        }
        if counts.count > linesMax {
            let rest = counts.dropFirst(linesMax)
            lines.append(
                "\(rest.map(\.count).reduce(0, +)) of \(rest.count) more topics and reasons")
        }
        return lines
    }
}
