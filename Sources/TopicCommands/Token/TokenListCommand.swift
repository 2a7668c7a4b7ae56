internal import AccessControl
internal import ArgumentParser
internal import DurableLog
internal import EventModel
internal import WallClock

/// The command `sluice token list`.
struct TokenListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List tokens, the newest first; never their secrets.",
        discussion: """
            Examples:
              sluice token list
              sluice token list --json | jq -r 'select(.revoked == null) | .id'
            """)

    @OptionGroup var database: DatabaseOptions

    @Flag(help: "Print one JSON object a token.")
    var json = false

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        let tokens = try await database.tokens().list()
        if json { return Output.standard.write(tokens.flatMap(Self.json)) }
        guard !tokens.isEmpty else { return Output.error.line("there are no tokens") }
        for line in Self.table(tokens, now: .now).lines(width: Output.standard.columns) {
            Output.standard.line(line)
        }
    }

    static func table(_ tokens: [TokenRecord], now: Timestamp) -> Table {
        var table = Table([
            ("ID", .left), ("STATE", .left), ("CREATED", .left), ("EXPIRES", .left),
            ("NAME", .left), ("MAY", .left),
        ])
        for token in tokens {
            let hasExpired = token.expires.map { $0 <= now } ?? false
            table.add([
                token.id, token.revoked != nil ? "revoked" : hasExpired ? "expired" : "valid",
                shortTime(token.created.description),
                token.expires.map { shortTime($0.description) } ?? "never", token.name,
                grantsText(token.grants),
            ])
        }
        return table
    }

    static func json(_ token: TokenRecord) -> [UInt8] {
        var json = JSONWriter()
        json.raw(#"{"id":"#)
        json.string(token.id)
        json.raw(#","name":"#)
        json.string(token.name)
        json.raw(#","created":"#)
        json.time(token.created)
        json.raw(#","expires":"#)
        if let expires = token.expires { json.time(expires) } else { json.raw("null") }
        json.raw(#","revoked":"#)
        if let revoked = token.revoked { json.time(revoked) } else { json.raw("null") }
        json.raw(#","grants":"#)
        token.grants.write(to: &json)
        json.raw("}\n")
        return json.bytes
    }
}
