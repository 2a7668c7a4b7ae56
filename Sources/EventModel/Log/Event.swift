/// An event on its way into the log: one JSON value, byte for byte as sent, and what belongs to it.
package struct NewEvent: Hashable, Sendable {
    /// A checked JSON text without white space around it.
    package var data: [UInt8]
    /// Groups events for conflation; 1 to 500 bytes without NUL.
    package var key: String?
    /// The event's own id; 1 to 500 bytes without NUL.
    package var eventID: String?
    /// A checked JSON object, at most 16 members and 1 KiB, and the trace context (doc:CommonRules).
    package var attributes: [UInt8]?

    package init(
        data: [UInt8], key: String? = nil, eventID: String? = nil, attributes: [UInt8]? = nil
    ) {
        self.data = data
        self.key = key
        self.eventID = eventID
        self.attributes = attributes
    }

    /// What the event counts for in limits and retention: payload, key, id and attributes as UTF-8.
    package var byteCount: Int {
        data.count + (key?.utf8.count ?? 0) + (eventID?.utf8.count ?? 0) + (attributes?.count ?? 0)
    }
}

/// A committed event; its topic and epoch are those of the batch or page that holds it.
package struct Event: Hashable, Sendable {
    package var offset: Offset
    package var time: Timestamp
    package var content: NewEvent

    package init(offset: Offset, time: Timestamp, content: NewEvent) {
        self.offset = offset
        self.time = time
        self.content = content
    }
}
