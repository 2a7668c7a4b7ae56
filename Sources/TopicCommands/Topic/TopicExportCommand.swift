internal import ArgumentParser
internal import EventModel
internal import SluiceClient

/// The command `sluice topic export`.
struct TopicExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print the events that a topic keeps, as NDJSON.",
        discussion: """
            Examples:
              sluice topic export orders.eu > orders.ndjson
              sluice topic export orders.eu --from ago:1d | gzip > yesterday.ndjson.gz
              sluice topic export orders.eu --filter '$.total > 1000' > large.ndjson
              sluice topic export orders.eu --from after:k3f9-1204 >> orders.ndjson

            It ends at the event that is the newest when it begins. Each line has the topic, offset, \
            cursor, time, key, event_id, attributes and, byte for byte, the data; 'sluice topic \
            import' and 'sluice publish --ndjson' take the lines. With --filter, as in 'sluice \
            subscribe', only the events that fulfil it are printed. Lost connections are waited for up \
            to --timeout. When it breaks off, it says the cursor to go on from with --from; so does \
            the last line that was written.
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: ArgumentHelp("The topic, like orders.eu.", valueName: "topic"))
    var topic: String

    @Option(help: ArgumentHelp("Where to start.", valueName: "start"))
    var from = "earliest"

    @Option(help: ArgumentHelp("Print only the events that fulfil this.", valueName: "condition"))
    var filter: String?

    @Option(help: ArgumentHelp("How long to try again.", valueName: "duration"))
    var timeout = "60s"

    func run() async throws {
        CommandLineProgram.endOnInterrupt()
        let topic = try checkedTopic(topic)
        let patience = try checkedDuration(timeout, option: "--timeout")
        let client = try connection.client()
        var export = TopicExport(topic: topic, isFiltered: filter != nil)
        var progress = Progress()
        var start = from
        do {
            while !export.isDone {
                let page = try await client.events(
                    of: topic, from: start, filter: filter, retryingFor: patience)
                let (lines, notes) = try export.take(page)
                if !notes.isEmpty { progress.clear() }
                for note in notes { Output.error.line(note) }
                Output.standard.write(lines)
                let text = export.progressText
                progress.show(text)
                if let cursor = export.cursor { start = "after:\(cursor)" }
                if CommandLineProgram.isInterrupted, !export.isDone { throw CancellationError() }
            }
        } catch {
            progress.clear()
            throw export.broken(by: showing(error, in: filter))
        }
        progress.clear()
        Output.error.line(export.summary)
    }
}

/// Makes lines of pages, up to the event that was the newest in the first one.
struct TopicExport {
    let topic: String
    /// Pages leave events out.
    let isFiltered: Bool
    /// Where a reader of the lines stands.
    private(set) var cursor: String?
    private(set) var isDone = false
    private var last: Int64?
    private var written = Holdings(events: 0, bytes: 0)
    private var remaining: Int64 = 0

    init(topic: String, isFiltered: Bool = false) {
        self.topic = topic
        self.isFiltered = isFiltered
    }

    /// - Returns: What to write, and what to tell about it.
    /// - Throws: When the page does not continue what was written before.
    mutating func take(
        _ page: EventsPage
    ) throws(CommandFailure) -> (lines: [UInt8], notes: [String]) {
        if let reason = page.resetReason {
            throw CommandFailure(
                .refused, "\(topic) does not go on behind that cursor (\(reason)).",
                remedy: "Export it anew, with --from earliest.")
        }
        let last = self.last ?? page.latest
        self.last = last
        let notes = page.gaps.map { gap in
            "gap: \(topic) \(gap.from) to \(gap.to) are not kept (\(gap.reason))"
        }
        var messages = page.messages
        var end = Self.offset(page.cursor) ?? last
        if end > last {
            while let offset = messages.last.flatMap(Self.cursor).flatMap(Self.offset),
                offset > last
            { messages.removeLast() }
            end = last
            cursor = messages.last.flatMap(Self.cursor) ?? cursor
        } else {
            cursor = page.cursor
        }
        isDone = end >= last || page.isCaughtUp
        remaining = max(0, last - end)
        let lines = messages.flatMap(jsonLine)
        written = Holdings(
            events: written.events + Int64(messages.count),
            bytes: written.bytes + Int64(lines.count))
        return (lines, notes)
    }

    var progressText: String {
        isFiltered
            ? "exported \(counted(written.events, "event")), \(roundedSize(written.bytes)); "
                + "\(grouped(remaining)) to look at"
            : "exported \(grouped(written.events)) of \(grouped(written.events + remaining)) events, "
                + roundedSize(written.bytes)
    }

    var summary: String {
        "exported \(written.text) of \(topic)" + (cursor.map { "; last cursor \($0)" } ?? "")
    }

    /// The failure, with how to go on behind what was written.
    func broken(by error: any Error) -> any Error {
        guard let failure = CommandFailure(error), let cursor, written.events > 0 else {
            return error
        }
        return CommandFailure(
            failure.status, "\(failure.message) \(counted(written.events, "event")) were exported.",
            remedy: "Go on behind them with\(isFiltered ? " the same --filter and" : ""): "
                + "sluice topic export \(topic) --from after:\(cursor)")
    }

    private static func offset(_ cursor: String) -> Int64? {
        cursor.split(separator: "-").last.flatMap { Int64($0) }
    }

    private static func cursor(_ message: [UInt8]) -> String? {
        (try? JSONFields(message))?.text("cursor")
    }
}
