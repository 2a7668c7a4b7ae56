internal import EventModel
internal import SluiceClient

/// Reads a line of NDJSON as an event to publish.
///
/// With a topic, each line is a bare value. Without one, each line is an object with `topic` and
/// `data` (or `event`), and maybe `key`, `event_id` and `attributes`. Lines that `sluice subscribe
/// --json` printed are such objects; what they tell besides (`type`, `offset`, `cursor`, `time`) is
/// left out, and so are its lines that hold no event.
struct PublishLine {
    /// The topic of every line; `nil` if each names its own.
    var topic: String?
    /// The key of every event.
    var key: String?

    /// - Returns: `nil` for an empty line and for one that holds no event.
    /// - Throws: What is wrong, with the byte of the line.
    func event(_ line: [UInt8]) throws(SluiceError) -> OutgoingEvent? {
        guard line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { return nil }
        if let topic { return try OutgoingEvent(topic: topic, data: line, key: key).checked() }
        let fields: JSONFields
        do { fields = try JSONFields(line) } catch { throw SluiceError(error) }
        if let type = fields.text("type"), type != "event", fields.raw("data") == nil { return nil }
        try Self.refuseUnknown(fields.names)
        guard let topic = fields.text("topic") else { throw Self.incomplete("'topic' is missing") }
        guard let data = fields.raw("data") ?? fields.raw("event") else {
            throw Self.incomplete("'data' is missing")
        }
        let attributes = fields.raw("attributes")
        return try OutgoingEvent(
            topic: topic, data: data, key: fields.text("key") ?? key,
            eventID: fields.text("event_id"),
            attributes: attributes == Array("null".utf8) ? nil : attributes
        ).checked()
    }

    private static let known: Set<String> = [
        "topic", "data", "event", "key", "event_id", "attributes", "type", "offset", "cursor",
        "time",
    ]

    private static func refuseUnknown(_ names: [String]) throws(SluiceError) {
        if names.contains("data"), names.contains("event") {
            throw incomplete("'data' and 'event' are both there")
        }
        if let name = names.filter({ !known.contains($0) }).min() {
            throw incomplete("\(quoted(name)) is not a member of an event")
        }
    }

    private static func incomplete(_ what: String) -> SluiceError {
        SluiceError(
            .invalid, code: "invalid_request", "Not an event to publish: \(what).",
            remedy: #"Write {"topic":"orders.eu","data":…}, or name the topic: "#
                + "sluice publish TOPIC --ndjson.")
    }
}
