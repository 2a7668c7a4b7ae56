internal import ArgumentParser
internal import BrokerRuntime
internal import DurableLog
internal import EventModel
internal import WallClock

/// The command `sluice outbox list`.
struct OutboxListCommand: AsyncParsableCommand {
    /// Events of one question.
    private static let pageMax = 100
    /// Characters of an event's data in the table.
    private static let excerptMax = 200

    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the events of SQL publishers that were refused, the oldest first.",
        discussion: """
            Examples:
              sluice outbox list
              sluice outbox list --json --count 100000 | jq -r .reason | sort | uniq -c
            """)

    @OptionGroup var database: DatabaseOptions

    @Option(help: ArgumentHelp("At most so many.", valueName: "number"))
    var count = 100

    @Flag(help: "Print one JSON object an event, with all of its data.")
    var json = false

    func validate() throws {
        guard count > 0 else { throw ValidationError("--count is at least 1.") }
    }

    func run() async throws {
        CommandLineProgram.exitOnInterrupt()
        let outbox = try database.outbox()
        var shown: [RefusedEvent] = []
        var last: Int64 = 0
        var rest = count
        while rest > 0 {
            let page = try await outbox.refused(
                after: last, count: min(rest, Self.pageMax), excerpt: json ? nil : Self.excerptMax)
            guard let end = page.last else { break }
            last = end.id
            rest -= page.count
            if json { Output.standard.write(page.flatMap(Self.json)) } else { shown += page }
        }
        if json { return }
        guard !shown.isEmpty else { return Output.error.line("no event was refused") }
        for line in Self.table(shown, now: .now).lines(width: Output.standard.columns) {
            Output.standard.line(line)
        }
        let total = try await outbox.ids(among: nil).count
        for line in Self.notes(shown, total: total) { Output.error.line(line) }
    }

    static func table(_ events: [RefusedEvent], now: Timestamp) -> Table {
        var table = Table([
            ("ID", .right), ("AGE", .right), ("REASON", .left), ("TOPIC", .left),
            ("SIZE", .right), ("DATA", .left),
        ])
        for event in events {
            table.add([
                String(event.id), age(of: event.time, now: now), event.reason, event.topic,
                roundedSize(event.dataBytes), String(decoding: event.event.data, as: UTF8.self),
            ])
        }
        return table
    }

    /// What is not in the table: the rest, and what to do about each reason.
    static func notes(_ events: [RefusedEvent], total: Int) -> [String] {
        var notes: [String] = []
        if total > events.count { notes.append("and \(total - events.count) more (--count)") }
        for reason in Set(events.map(\.reason)).sorted() {
            guard let code = ErrorCode(rawValue: reason) else { continue }
            notes.append("\(reason): \(code.title). \(code.remedy)")
        }
        return notes
    }

    static func json(_ event: RefusedEvent) -> [UInt8] {
        var json = JSONWriter()
        json.raw(#"{"id":"#)
        json.integer(event.id)
        json.raw(#","time":"#)
        json.time(event.time)
        json.raw(#","reason":"#)
        json.string(event.reason)
        json.raw(#","topic":"#)
        json.string(event.topic)
        if let key = event.event.key {
            json.raw(#","key":"#)
            json.string(key)
        }
        if let id = event.event.eventID {
            json.raw(#","event_id":"#)
            json.string(id)
        }
        if let attributes = event.event.attributes {
            json.raw(#","attributes":"#)
            json.raw(attributes)
        }
        json.raw(#","data":"#)
        json.raw(event.event.data)
        json.raw("}\n")
        // A JSON text may have line ends between its tokens; a line has none.
        return json.bytes.dropLast().map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 } + [0x0A]
    }
}

/// How long ago, in one unit, for tables.
func age(of time: Timestamp, now: Timestamp) -> String {
    let seconds = max(0, now.microseconds - time.microseconds) / 1_000_000
    return switch seconds {
    case ..<60: "\(seconds)s"
    case ..<3600: "\(seconds / 60)m"
    case ..<86_400: "\(seconds / 3600)h"
    default: "\(seconds / 86_400)d"
    }
}
