internal import ArgumentParser
internal import EventModel
internal import SluiceClient

/// The command `sluice topic alter`.
struct TopicAlterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alter",
        abstract: "Change settings of topics.",
        discussion: """
            Examples:
              sluice topic alter orders.eu --retain-age 30d --description 'Orders of Europe'
              sluice topic alter orders.eu --retain-count unlimited --event-bytes default
              sluice topic alter 'demo.>' --retain-age 7d
              sluice topic alter 'demo.>' --retain-age 7d --yes --json

            What is not said stays as it is. Events that new bounds do not keep are deleted within \
            seconds, so for lower bounds, and always for a pattern, it shows what it will change \
            and asks, unless --yes is given.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: ArgumentHelp("A topic, or a pattern in quotes.", valueName: "pattern"))
    var pattern: String

    @OptionGroup(title: "Settings") var settings: TopicSettingOptions

    @Flag(help: "Do not ask.")
    var yes = false

    @Flag(help: "Print the altered topics, one JSON object a line.")
    var json = false

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        let options = settings.options
        guard !options.isEmpty else {
            throw ValidationError("Say at least one setting, like --retain-age 7d.")
        }
        let pattern = try checkedPatterns([pattern])[0]
        // What can't be read is told before anything is asked.
        _ = try options.body()
        let client = try connection.client()
        let changes = try await client.chosenTopics(pattern)
            .map { TopicAlteration($0, options) }.filter { !$0.lines.isEmpty }
        if isPattern(pattern) || changes.contains(where: \.mayLoseEvents) {
            try LossQuestion(isGiven: yes || changes.isEmpty)
                .require("alter", changes.map(\.text))
        }
        for change in changes {
            let info = try await client.alterTopic(change.topic.name, options)
            if json {
                Output.standard.write(info.json + [0x0A])
            } else {
                Output.standard.line("altered \(change.text)")
            }
        }
        if changes.isEmpty { Output.error.line("nothing to change") }
    }
}

/// What settings would change of a topic.
struct TopicAlteration {
    let topic: TopicInfo
    /// `retain age 30d to 7d`, of each setting that would be another one.
    let lines: [String]
    /// Whether a bound becomes lower, or may.
    let mayLoseEvents: Bool

    init(_ topic: TopicInfo, _ options: TopicOptions) {
        self.topic = topic
        var lines: [String] = []
        func line(_ name: String, _ before: String?, _ after: String?, shown: Bool = true) {
            guard let after, after != before ?? "default" else { return }
            lines.append(shown ? "\(name) \(before ?? "default") to \(after)" : name)
        }
        line("retain age", topic.retainAge, options.retainAge)
        line("retain count", topic.retainCount, options.retainCount)
        line("retain bytes", topic.retainBytes, Self.plainSize(options.retainBytes))
        line("event bytes", topic.eventBytes.map { "\($0)" }, Self.plainSize(options.eventBytes))
        line("overflow", topic.overflow, options.overflow)
        line("description", topic.description, options.description, shown: false)
        self.lines = lines
        let effective = topic.effective
        mayLoseEvents =
            Self.isLower(options.retainAge, than: effective.retainAge) { parseDuration($0) }
            || Self.isLower(options.retainCount, than: effective.retainCount) { Int64($0) }
            || Self.isLower(options.retainBytes, than: effective.retainBytes) {
                Int64($0) ?? parseSize($0).map { Int64($0) }
            }
    }

    /// `demo.a (1,204 events, 3.1 MiB): retain age 30d to 7d`.
    var text: String {
        "\(topic.name) (\(Holdings([topic]).text)): \(lines.joined(separator: ", "))"
    }

    /// `1KiB` as `1024`, as the broker tells it.
    private static func plainSize(_ text: String?) -> String? {
        text.map { text in parseSize(text).map { "\($0)" } ?? text }
    }

    /// What the server's default is nobody has told, if the topic has a bound of its own.
    private static func isLower<Value: Comparable>(
        _ bound: String?, than effective: String?, _ value: (String) -> Value?
    ) -> Bool {
        guard let bound, bound != "unlimited", bound != effective else { return false }
        guard let effective, let before = value(effective), let after = value(bound) else {
            return true
        }
        return after < before
    }
}
