internal import EventModel

/// An event to publish: one JSON text for one topic.
public struct OutgoingEvent: Equatable, Sendable {
    /// The topic's name.
    public var topic: String
    /// A JSON text; it is kept byte for byte.
    public var data: [UInt8]
    /// Groups events for conflation.
    public var key: String?
    /// The event's own id: publishing it again appends nothing.
    public var eventID: String?
    /// A JSON object with further facts about the event.
    public var attributes: [UInt8]?

    /// Makes an event.
    public init(
        topic: String, data: [UInt8], key: String? = nil, eventID: String? = nil,
        attributes: [UInt8]? = nil
    ) {
        self.topic = topic
        self.data = data
        self.key = key
        self.eventID = eventID
        self.attributes = attributes
    }

    /// Checks all members as the broker would, and leaves white space around the JSON texts out.
    ///
    /// Sizes that a broker can be configured to are left to it.
    ///
    /// - Throws: `invalid_topic`, `forbidden` (a reserved topic), `invalid_json`, `invalid_utf8`,
    ///   `invalid_request` or `unknown_field` (an attribute twice).
    package func checked() throws(SluiceError) -> OutgoingEvent {
        do throws(BrokerError) {
            let name = try TopicName(topic)
            if name.isReserved { throw BrokerError.reserved(name) }
            if let key { try EventValidation.checkKey(key) }
            if let eventID { try EventValidation.checkEventID(eventID) }
            var event = self
            event.data = try Self.wholeText(data)
            event.attributes = try attributes.map(Self.wholeText)
            if let attributes = event.attributes {
                try EventValidation.attributes(attributes, limits: Limits())
            }
            return event
        } catch {
            throw SluiceError(error)
        }
    }

    private static func wholeText(_ bytes: [UInt8]) throws(BrokerError) -> [UInt8] {
        var scanner = JSONScanner(bytes)
        return Array(bytes[try scanner.wholeText()])
    }

    /// Key and id as header fields; `nil` if they, or attributes, can only be said in a line's
    /// members.
    var headers: [(String, String)]? {
        guard attributes == nil else { return nil }
        var fields: [(String, String)] = []
        for (name, text) in [("Sluice-Key", key), ("Sluice-Event-Id", eventID)] {
            guard let text else { continue }
            // A field's value is trimmed on the way, and holds no control characters (RFC 9110
            // 5.5).
            let isPlain = text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
            guard isPlain, !text.isEmpty else { return nil }
            fields.append((name, text))
        }
        return fields
    }

    /// Appends the event, which was checked, as a line of `POST /v1/events`.
    ///
    /// Line ends inside the JSON texts become spaces: they can only stand between tokens, where
    /// both are white space.
    func appendLine(to body: inout [UInt8]) {
        var writer = JSONWriter(capacity: data.count + topic.utf8.count + 64)
        writer.raw(#"{"topic":"#)
        writer.string(topic)
        if let key {
            writer.raw(#","key":"#)
            writer.string(key)
        }
        if let eventID {
            writer.raw(#","event_id":"#)
            writer.string(eventID)
        }
        if let attributes {
            writer.raw(#","attributes":"#)
            writer.raw(attributes)
        }
        writer.raw(#","data":"#)
        writer.raw(data)
        writer.raw("}")
        body += jsonLine(writer.bytes)
    }
}
