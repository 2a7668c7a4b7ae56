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
        try forEachLine(of: bytes, limits: limits) { (range, _) throws(BrokerError) in
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
    ) throws(BrokerError) -> [AddressedEvent] {
        var events: [AddressedEvent] = []
        try forEachLine(of: bytes, limits: limits) { (range, line) throws(BrokerError) in
            var fields = ObjectReader(bytes)
            try fields.read(in: range, membersMax: 16)
            try fields.refuseFields(except: ["topic", "data", "key", "event_id", "attributes"])
            let topic = try fields.topic()
            let place = InputPlace(
                byte: fields.value("topic")?.lowerBound, line: line, field: "topic")
            events.append(
                AddressedEvent(topic: topic, event: try fields.event(limits), place: place))
        }
        return events
    }

    /// Calls `body` with the range and number of each line that is not blank, and places its
    /// errors.
    private static func forEachLine(
        of bytes: [UInt8], limits: Limits,
        _ body: (Range<Int>, _ line: Int) throws(BrokerError) -> Void
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
                    try body(start..<end, line)
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
