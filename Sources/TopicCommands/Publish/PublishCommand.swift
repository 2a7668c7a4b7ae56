internal import ArgumentParser
internal import EventModel
internal import SluiceClient

/// The command `sluice publish`.
struct PublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "Publish events; done means committed.",
        usage: """
            sluice publish <topic> <json>
            sluice publish <topic> [--file <file>]
            sluice publish --ndjson [<topic>] [--file <file>]
            """,
        discussion: """
            Examples:
              sluice publish orders.eu '{"id":7,"total":12.50}'
              sluice publish orders.eu --file order.json --key customer-42
              echo '"hello"' | sluice publish demo.hello
              sluice publish --ndjson < events.ndjson            # {"topic":…,"data":…}
              tail -f log.ndjson | sluice publish --ndjson logs   # each line an event
              sluice subscribe 'a.>' --json --count 10 | sluice publish --ndjson

            Data is kept byte for byte. Without --ndjson, data is one JSON text. With it, up to 500 \
            lines or 1 MiB are one request, which is appended whole or not at all. Every request is \
            safe to repeat, so lost connections and a busy broker are waited for up to --timeout.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: ArgumentHelp("The topic, like orders.eu.", valueName: "topic"))
    var topic: String?

    @Argument(
        help: ArgumentHelp(
            "The event, a JSON text; after -- if it begins with '-'.", valueName: "json"))
    var data: String?

    @Option(help: ArgumentHelp("Read from a file instead of standard input.", valueName: "file"))
    var file: String?

    @Flag(help: "One event a line.")
    var ndjson = false

    @Option(
        help: ArgumentHelp("The events' key, which groups them for conflation.", valueName: "text"))
    var key: String?

    @Option(
        help: ArgumentHelp(
            "The event's own id: publishing it again appends nothing.", valueName: "text"))
    var eventID: String?

    @Option(
        help: ArgumentHelp(
            "Publishing the same with this key again appends nothing.", valueName: "text"))
    var idempotencyKey: String?

    @Option(help: ArgumentHelp("How long to try again.", valueName: "duration"))
    var timeout = "60s"

    @Flag(help: "Print the broker's answers as JSON lines.")
    var json = false

    private func checkUsage() throws {
        if data != nil, file != nil { throw ValidationError("Give either <json> or --file.") }
        if ndjson, data != nil {
            throw ValidationError("--ndjson reads lines from a file or standard input, not <json>.")
        }
        if ndjson, eventID != nil {
            throw ValidationError(
                "--event-id is for one event; in lines it is the member 'event_id'.")
        }
        if !ndjson, topic == nil { throw ValidationError("Name the topic, or use --ndjson.") }
    }

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        try checkUsage()
        let topic = try topic.map(checkedTopic)
        let patience = try checkedDuration(timeout, option: "--timeout")
        if ndjson {
            let input = try input()
            let client = try connection.client()
            let format = PublishLine(topic: topic, key: key)
            var upload = LineUpload(
                client: client, patience: patience, idempotencyKey: idempotencyKey,
                printsJSON: json
            ) { line throws(SluiceError) in try format.event(line) }
            return try await upload.run(input)
        }
        guard let topic else { return }
        let event = OutgoingEvent(topic: topic, data: try text(), key: key, eventID: eventID)
        let checked = try checked(event)
        let result = try await connection.client().publish(
            checked, idempotencyKey: idempotencyKey, retryingFor: patience)
        if json {
            Output.standard.write(result.json + [0x0A])
        } else {
            let note = result.isRepeat ? "  (published before)" : ""
            Output.standard.line("\(result.topic)  \(result.offset)  \(result.cursor)\(note)")
        }
    }

    private func input() throws(CommandFailure) -> InputFile {
        if let file { return try InputFile(path: file) }
        let input = InputFile()
        guard !input.isTerminal else {
            throw CommandFailure(
                .usage, "There is nothing to publish: standard input is the terminal.",
                remedy: "Give <json> or --file, or pipe the data in.")
        }
        return input
    }

    private func text() throws(CommandFailure) -> [UInt8] {
        if let data { return Array(data.utf8) }
        return try input().readAll(bytesMax: 64 << 20)
    }

    private func checked(_ event: OutgoingEvent) throws(CommandFailure) -> OutgoingEvent {
        do throws(SluiceError) {
            return try event.checked()
        } catch {
            throw CommandFailure(
                .usage, "The data is not JSON. \(error.message)",
                remedy: #"Publish a JSON text: a number, "text" with its quotes, {…} or […]; "#
                    + "in a shell, put it in '…'.")
        }
    }
}
