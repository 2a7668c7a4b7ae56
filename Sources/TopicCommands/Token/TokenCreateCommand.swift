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
              sluice token create --name shop --publish 'orders.>' --subscribe '*.public.>'
              sluice token create --name ops --admin topics --subscribe '>'

            Without --publish, --subscribe and --admin a token may do everything; with one of \
            them, what they say and nothing else.
            """)

    @OptionGroup var database: DatabaseOptions

    @Option(help: ArgumentHelp("What the token is for.", valueName: "text"))
    var name = "unnamed"

    @Option(help: ArgumentHelp("How long it is valid; for ever if absent.", valueName: "duration"))
    var ttl: String?

    @Option(
        help: ArgumentHelp("Topics that it may publish to; repeatable.", valueName: "pattern"))
    var publish: [String] = []

    @Option(help: ArgumentHelp("Topics that it may read; repeatable.", valueName: "pattern"))
    var subscribe: [String] = []

    @Option(help: ArgumentHelp("What it may manage: topics.", valueName: "right"))
    var admin: [String] = []

    @Flag(help: "Print a JSON object with id, name, token, expires and grants.")
    var json = false

    /// `nil`: everything.
    func grants() throws -> Grants? {
        if publish.isEmpty, subscribe.isEmpty, admin.isEmpty { return nil }
        let rights = try admin.map { text in
            guard let right = Grants.AdminRight(rawValue: text) else {
                let known = Grants.AdminRight.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--admin: there is no right \(quoted(text)); use \(known).")
            }
            return right
        }
        try Grants.checkCount(publish.count, of: "--publish")
        try Grants.checkCount(subscribe.count, of: "--subscribe")
        return Grants(
            publish: try publish.map { try TopicPattern($0) },
            subscribe: try subscribe.map { try TopicPattern($0) }, admin: Set(rights))
    }

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        let ttl = try ttl.map { text in try checkedDuration(text, option: "--ttl") }
        let expires = ttl.map { Timestamp.now.advanced(by: $0) }
        let grants = try grants()
        let token = try await Token.create(
            name: name, expires: expires, grants: grants, in: try database.tokens())
        if json {
            return Output.standard.write(
                Self.json(token, name: name, expires: expires, grants: grants ?? .everything))
        }
        Output.standard.line(token.text)
        let end = expires.map { "until \(shortTime($0.description))" } ?? "until it is revoked"
        Output.error.line(
            "Token \(token.id) for \(quoted(name)), valid \(end). Keep it: it is shown only now.")
        Output.error.line("It may \(grantsText(grants ?? .everything)).")
    }

    static func json(
        _ token: Token, name: String, expires: Timestamp?, grants: Grants
    ) -> [UInt8] {
        var json = JSONWriter()
        json.raw(#"{"id":"#)
        json.string(token.id)
        json.raw(#","name":"#)
        json.string(name)
        json.raw(#","token":"#)
        json.string(token.text)
        json.raw(#","expires":"#)
        if let expires { json.time(expires) } else { json.raw("null") }
        json.raw(#","grants":"#)
        grants.write(to: &json)
        json.raw("}\n")
        return json.bytes
    }
}
