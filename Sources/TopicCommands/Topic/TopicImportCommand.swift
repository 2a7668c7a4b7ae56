internal import ArgumentParser
internal import SluiceClient

/// The command `sluice topic import`.
struct TopicImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Publish the lines of an export to a topic.",
        discussion: """
            Examples:
              sluice topic import orders.eu orders.ndjson
              gzip -dc yesterday.ndjson.gz | sluice topic import restored.orders
              sluice topic export orders.eu | sluice topic import copy.orders

            A line is an object with data, and maybe key, event_id and attributes; the topic that it \
            names does not count. An event without an event_id gets its old cursor as one, or else \
            one that is made of the lines up to it. So when it breaks off, run the same command \
            again: what is in the topic already is not appended twice, for as long as the broker \
            keeps ids (a day or more).
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: ArgumentHelp("The topic, like orders.eu.", valueName: "topic"))
    var topic: String

    @Argument(help: ArgumentHelp("Standard input without it.", valueName: "file"))
    var file: String?

    @Option(help: ArgumentHelp("How long to try again.", valueName: "duration"))
    var timeout = "60s"

    @Flag(help: "Print the broker's answers as JSON lines.")
    var json = false

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        let topic = try checkedTopic(topic)
        let patience = try checkedDuration(timeout, option: "--timeout")
        let input = try file.map { path in try InputFile(path: path) } ?? InputFile()
        guard !input.isTerminal else {
            throw CommandFailure(
                .usage, "There is nothing to import: standard input is the terminal.",
                remedy: "Name the file, or pipe the lines in.")
        }
        let lines = ImportedLines(topic: topic)
        var upload = LineUpload(
            client: try connection.client(), verb: "imported", patience: patience,
            printsJSON: json
        ) { line throws(SluiceError) in try lines.event(line) }
        do {
            try await upload.run(input)
        } catch let failure as CommandFailure {
            throw CommandFailure(
                failure.status, failure.message,
                remedy:
                    "\(failure.remedy) Then run the same command again: nothing is appended twice."
            )
        }
    }
}

/// Reads lines of an export as events of one topic, each with an id that is the same when the lines
/// are read again.
final class ImportedLines {
    private let format: PublishLine
    private var count = 0
    /// Of all lines so far (FNV-1a), so that a line is the same event only behind the same ones.
    private var hash: UInt64 = 0xcbf2_9ce4_8422_2325

    init(topic: String) { format = PublishLine(target: topic) }

    /// - Returns: `nil` for a line that holds no event.
    func event(_ line: [UInt8]) throws(SluiceError) -> OutgoingEvent? {
        guard var event = try format.event(line) else { return nil }
        count += 1
        for byte in line { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        if event.eventID == nil { event.eventID = "import-\(count)-\(String(hash, radix: 36))" }
        return event
    }
}
