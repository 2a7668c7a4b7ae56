import EventModel

extension ClientMessage {
    /// The message's JSON text, fields in the order of doc:Session.
    package func encode() -> [UInt8] {
        var json = JSONWriter(capacity: 128)
        switch self {
        case .auth(let token, let id):
            json.raw(#"{"type":"auth""#)
            json.member("id", id)
            json.raw(#","token":"#)
            json.string(token)
        case .subscribe(let request): request.encode(to: &json)
        case .cursors(let id, let cursors):
            json.raw(#"{"type":"cursors""#)
            json.member("id", id)
            json.member("cursors", cursors)
        case .unsubscribe(let id):
            json.raw(#"{"type":"unsubscribe""#)
            json.member("id", id)
        case .credit(let id, let events):
            json.raw(#"{"type":"credit""#)
            json.member("id", id)
            json.member("events", events)
        case .update(let id, let changes):
            json.raw(#"{"type":"update""#)
            json.member("id", id)
            changes.encode(to: &json)
        case .publish(let message): message.encode(to: &json)
        case .ping(let id):
            json.raw(#"{"type":"ping""#)
            json.member("id", id)
        }
        json.raw("}")
        return json.bytes
    }
}

extension SubscribeRequest {
    fileprivate func encode(to json: inout JSONWriter) {
        json.raw(#"{"type":"subscribe""#)
        json.member("id", id)
        if patterns.count == 1 {
            json.member("topic", patterns[0].text)
        } else {
            json.raw(#","topics":["#)
            for (index, pattern) in patterns.enumerated() {
                if index > 0 { json.raw(",") }
                json.string(pattern.text)
            }
            json.raw("]")
        }
        json.member("from", from.text)
        if !cursors.isEmpty { json.member("cursors", cursors) }
        json.member("overflow", options.overflow?.rawValue)
        json.member("credit", options.credit)
        json.member("filter", filter)
        json.member("max_rate", options.maxRate.map { Int64($0) })
    }
}

extension SubscriptionChanges {
    fileprivate func encode(to json: inout JSONWriter) {
        if let maxRate {
            if maxRate == nil { json.raw(#","max_rate":null"#) }
            json.member("max_rate", maxRate.map { Int64($0) })
        }
        if let filter {
            if filter == nil { json.raw(#","filter":null"#) }
            json.member("filter", filter)
        }
    }
}

extension PublishMessage {
    fileprivate func encode(to json: inout JSONWriter) {
        json.raw(#"{"type":"publish""#)
        json.member("id", id)
        json.member("topic", topic.text)
        json.member("key", event.key)
        json.member("event_id", event.eventID)
        if let attributes = event.attributes {
            json.raw(#","attributes":"#)
            json.raw(attributes)
        }
        json.member("if_head", ifHead?.description)
        json.raw(#","data":"#)
        json.raw(event.data)
    }
}

extension JSONWriter {
    /// `,"name":number`, unless absent.
    mutating func member(_ name: StaticString, _ value: Int64?) {
        guard let value else { return }
        begin(name)
        integer(value)
    }

    /// `,"name":"text"`, unless absent.
    mutating func member(_ name: StaticString, _ value: String?) {
        guard let value else { return }
        begin(name)
        string(value)
    }

    /// `,"name":"time"`.
    mutating func member(_ name: StaticString, _ value: Timestamp) {
        begin(name)
        time(value)
    }

    /// `,"name":milliseconds`, unless absent.
    mutating func member(_ name: StaticString, milliseconds value: Duration?) {
        guard let value else { return }
        member(name, value.milliseconds)
    }

    /// `,"name":{topic: cursor}`, by name so that equal positions are equal texts.
    mutating func member(_ name: StaticString, _ cursors: [TopicName: Cursor]) {
        begin(name)
        raw("{")
        let sorted = cursors.sorted { $0.key.text < $1.key.text }
        for (index, (topic, cursor)) in sorted.enumerated() {
            if index > 0 { raw(",") }
            string(topic.text)
            raw(":")
            string(cursor.description)
        }
        raw("}")
    }

    private mutating func begin(_ name: StaticString) {
        raw(#",""#)
        raw(name)
        raw(#"":"#)
    }
}

extension Duration {
    /// Whole milliseconds, rounded up so that nobody comes back too early.
    var milliseconds: Int64 {
        let parts = components
        return parts.seconds * 1000 + (parts.attoseconds + 999_999_999_999_999)
            / 1_000_000_000_000_000
    }
}
