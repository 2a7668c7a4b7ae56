internal import AccessControl
internal import ArgumentParser
internal import BrokerRuntime
internal import EventModel
internal import WallClock

/// The command `sluice token create`.
struct TokenCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a token and print it; it is shown only this once.",
        discussion: """
            Examples:
              sluice token create --name checkout
              sluice token create --name ci --ttl 30d
              sluice token create --name web --json
            """)

    @OptionGroup var database: DatabaseOptions

    @Option(help: ArgumentHelp("What the token is for.", valueName: "text"))
    var name = "unnamed"

    @Option(help: ArgumentHelp("How long it is valid; for ever if absent.", valueName: "duration"))
    var ttl: String?

    @Flag(help: "Print a JSON object with id, name, token and expires.")
    var json = false

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        let ttl = try ttl.map { text in try checkedDuration(text, option: "--ttl") }
        let expires = ttl.map { Timestamp.now.advanced(by: $0) }
        let token = try await Token.create(
            name: name, expires: expires, in: try database.tokens())
        if json { return Output.standard.write(Self.json(token, name: name, expires: expires)) }
        Output.standard.line(token.text)
        let end = expires.map { "until \(shortTime($0.description))" } ?? "until it is revoked"
        Output.error.line(
            "Token \(token.id) for \(quoted(name)), valid \(end). Keep it: it is shown only now.")
    }

    static func json(_ token: Token, name: String, expires: Timestamp?) -> [UInt8] {
        var json = JSONWriter()
        json.raw(#"{"id":"#)
        json.string(token.id)
        json.raw(#","name":"#)
        json.string(name)
        json.raw(#","token":"#)
        json.string(token.text)
        json.raw(#","expires":"#)
        if let expires { json.time(expires) } else { json.raw("null") }
        json.raw("}\n")
        return json.bytes
    }
}
