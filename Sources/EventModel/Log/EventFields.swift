// The members that `publish` messages and the lines of `POST /v1/events` share.
extension ObjectReader {
    /// The topic to publish to.
    package func topic() throws(BrokerError) -> TopicName {
        guard let range = value("topic") else { return try required(nil, "topic") }
        do { return try TopicName(try string(at: range, field: "topic")) } catch {
            throw placed(error, at: range, field: "topic")
        }
    }

    /// `data`, `key`, `event_id` and `attributes`, checked.
    package func event(_ limits: Limits) throws(BrokerError) -> NewEvent {
        guard let data = value("data") else { return try required(nil, "data") }
        guard data.count <= limits.eventBytesMax else {
            throw BrokerError(
                .eventTooLarge, "The event has \(data.count) bytes, over \(limits.eventBytesMax).",
                at: InputPlace(byte: data.lowerBound, field: "data"))
        }
        var event = NewEvent(data: Array(bytes[data]))
        if let range = value("key") {
            event.key = try string(at: range, field: "key")
            try check(range, "key") { () throws(BrokerError) in
                try EventValidation.checkKey(event.key ?? "")
            }
        }
        if let range = value("event_id") {
            event.eventID = try string(at: range, field: "event_id")
            try check(range, "event_id") { () throws(BrokerError) in
                try EventValidation.checkEventID(event.eventID ?? "")
            }
        }
        if let range = value("attributes") {
            let attributes = Array(bytes[range])
            try check(range, "attributes") { () throws(BrokerError) in
                try EventValidation.attributes(attributes, limits: limits)
            }
            event.attributes = attributes
        }
        try check(data, "data") { () throws(BrokerError) in
            try EventValidation.checkSize(event, limits: limits)
        }
        return event
    }

    private func check(
        _ range: Range<Int>, _ field: String, _ rule: () throws(BrokerError) -> Void
    ) throws(BrokerError) {
        do { try rule() } catch { throw placed(error, at: range, field: field) }
    }
}
