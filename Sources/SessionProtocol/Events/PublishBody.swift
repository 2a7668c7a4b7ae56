package import EventModel

/// The bodies of requests that publish (doc:HTTP).
package enum PublishBody {
    /// `application/json`: the whole body is one event; an array, too.
    package static func single(_ bytes: [UInt8], limits: Limits) throws(BrokerError) -> NewEvent {
        var scanner = JSONScanner(bytes)
        let range = try scanner.wholeText()
        let event = NewEvent(data: range == bytes.indices ? bytes : Array(bytes[range]))
        try EventValidation.checkSize(event, limits: limits)
        return event
    }

    /// `application/x-ndjson` to one topic: one bare value a line.
    ///
    /// - Throws: The first error, with its line and its byte in the body; then nothing of the
    ///   body is valid.
    package static func lines(_ bytes: [UInt8], limits: Limits) throws(BrokerError) -> [NewEvent] {
        var events: [NewEvent] = []
        try forEachLine(of: bytes, limits: limits) { (range) throws(BrokerError) in
            var scanner = JSONScanner(bytes, in: range)
            let event = NewEvent(data: Array(bytes[try scanner.wholeText()]))
            try EventValidation.checkSize(event, limits: limits)
            events.append(event)
        }
        return events
    }

    /// `application/x-ndjson` to many topics: lines of
    /// `{"topic","data","key"?,"event_id"?,"attributes"?}`.
    ///
    /// - Throws: As `lines`; unknown and duplicate fields are refused by name.
    package static func multi(
        _ bytes: [UInt8], limits: Limits
    ) throws(BrokerError) -> [(TopicName, NewEvent)] {
        var events: [(TopicName, NewEvent)] = []
        try forEachLine(of: bytes, limits: limits) { (range) throws(BrokerError) in
            var fields = ObjectReader(bytes)
            try fields.read(in: range, membersMax: 16)
            try fields.refuseFields(except: ["topic", "data", "key", "event_id", "attributes"])
            events.append((try fields.topic(), try fields.event(limits)))
        }
        return events
    }

    /// One line of `POST /v1/events`, with its line feed; `nil` if `data` holds a line feed itself.
    ///
    /// Such an event keeps its bytes only as a body of its own.
    package static func line(topic: TopicName, event: NewEvent) -> [UInt8]? {
        let newline = UInt8(ascii: "\n")
        guard !event.data.contains(newline), !(event.attributes ?? []).contains(newline) else {
            return nil
        }
        var json = JSONWriter(capacity: 64 + event.byteCount)
        json.raw(#"{"topic":"#)
        json.string(topic.text)
        json.member("key", event.key)
        json.member("event_id", event.eventID)
        if let attributes = event.attributes {
            json.raw(#","attributes":"#)
            json.raw(attributes)
        }
        json.raw(#","data":"#)
        json.raw(event.data)
        json.raw("}\n")
        return json.bytes
    }

    /// Calls `body` with the range of each line that is not blank, and places its errors.
    private static func forEachLine(
        of bytes: [UInt8], limits: Limits, _ body: (Range<Int>) throws(BrokerError) -> Void
    ) throws(BrokerError) {
        var start = 0
        var line = 0
        var count = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            line += 1
            let isBlank = bytes[start..<end].allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
            if !isBlank {
                count += 1
                do throws(BrokerError) {
                    guard count <= limits.bodyLinesMax else {
                        throw BrokerError(
                            .bodyTooLarge, "The body has over \(limits.bodyLinesMax) lines.",
                            at: InputPlace(byte: start))
                    }
                    try body(start..<end)
                } catch {
                    throw placed(error, line: line, start: start)
                }
            }
            start = end + 1
        }
        guard count > 0 else {
            throw BrokerError(
                .invalidRequest, "The body has no event.", remedy: "Send one JSON value a line.")
        }
    }

    private static func placed(_ error: BrokerError, line: Int, start: Int) -> BrokerError {
        var error = error
        error.message = "Line \(line): \(error.message)"
        error.at = InputPlace(byte: error.at?.byte ?? start, line: line, field: error.at?.field)
        return error
    }
}
