internal import EventModel
internal import SluiceClient

/// Reads a line of NDJSON as an event to publish.
///
/// With a topic, each line is a bare value. Without one, each line is an object with `topic` and
/// `data` (or `event`), and maybe `key`, `event_id` and `attributes`. Lines that `sluice subscribe
/// --json` printed are such objects; what they tell besides (`type`, `offset`, `cursor`, `time`) is
/// left out, and so are its lines that hold no event.
struct PublishLine {
    /// The topic of every line, which is a bare value; `nil` if each is an object.
    var topic: String?
    /// Where the events of objects go, whatever topic they name; those without an id get the cursor
    /// as one that they had in their old topic.
    var target: String?
    /// The key of every event that names none itself.
    var key: String?

    /// - Returns: `nil` for an empty line and for one that holds no event.
    /// - Throws: What is wrong, with the byte of the line or the field.
    func event(_ line: [UInt8]) throws(SluiceError) -> OutgoingEvent? {
        guard line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { return nil }
        if let topic { return try OutgoingEvent(topic: topic, data: line, key: key).checked() }
        let event: OutgoingEvent?
        do { event = try read(line) } catch { throw Self.explained(error) }
        return try event?.checked()
    }

    private func read(_ line: [UInt8]) throws(BrokerError) -> OutgoingEvent? {
        var fields = ObjectReader(line)
        try fields.read(membersMax: 1000)
        if fields.value("data") == nil, let type = try fields.string("type"), type != "event" {
            return nil
        }
        try fields.refuseFields(except: Self.known)
        if fields.value("data") != nil, let event = fields.value("event") {
            throw fields.wrong("data", "and 'event' are both there", at: event)
        }
        let named = try fields.string("topic")
        let topic = try fields.required(target ?? named, "topic")
        let data = try fields.required(fields.text("data") ?? fields.text("event"), "data")
        let id = try fields.string("event_id")
        let cursor = target == nil ? nil : try fields.string("cursor")
        return OutgoingEvent(
            topic: topic, data: data, key: try fields.string("key") ?? key,
            eventID: id ?? cursor,
            attributes: fields.isNull("attributes") ? nil : fields.text("attributes"))
    }

    private static let known = [
        "topic", "data", "event", "key", "event_id", "attributes", "type", "offset", "cursor",
        "time",
    ]

    /// What to write instead, if the text is JSON but no event.
    private static func explained(_ error: BrokerError) -> SluiceError {
        var told = SluiceError(error)
        if error.code == .invalidRequest || error.code == .unknownField {
            told.message = "Not an event to publish: \(error.message)"
            told.remedy =
                #"Write {"topic":"orders.eu","data":…}, or name the topic: "#
                + "sluice publish TOPIC --ndjson."
        }
        return told
    }
}
