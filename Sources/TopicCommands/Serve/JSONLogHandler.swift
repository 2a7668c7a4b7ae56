internal import EventModel
internal import Logging
internal import WallClock

/// Writes each log line as a JSON object on standard error, for machines that collect them.
struct JSONLogHandler: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    private let label: String

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line = Self.line(
            time: .now, level: event.level, label: label, message: event.message,
            metadata: metadata.merging(event.metadata ?? [:]) { $1 })
        line.append(0x0A)
        Output.error.write(line)
    }

    /// The object, without a line end.
    static func line(
        time: Timestamp, level: Logger.Level, label: String, message: Logger.Message,
        metadata: Logger.Metadata
    ) -> [UInt8] {
        var json = JSONWriter()
        json.raw(#"{"time":"#)
        json.time(time)
        json.raw(#","level":"#)
        json.string(level.rawValue)
        json.raw(#","logger":"#)
        json.string(label)
        json.raw(#","message":"#)
        json.string(message.description)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            json.raw(",")
            json.string(key)
            json.raw(":")
            json.string("\(value)")
        }
        json.raw("}")
        return json.bytes
    }
}
