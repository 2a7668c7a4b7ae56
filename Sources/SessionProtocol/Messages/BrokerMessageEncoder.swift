import EventModel

extension BrokerMessage {
    /// The message's JSON text, fields in the order of doc:Session.
    package func encode() -> [UInt8] {
        if case .event(let message) = self {
            return EventMessage.encode(
                topic: message.topic, epoch: message.epoch, event: message.event)
        }
        var json = JSONWriter(capacity: 160)
        encode(to: &json)
        json.raw("}")
        return json.bytes
    }

    /// All but the last brace.
    private func encode(to json: inout JSONWriter) {
        switch self {
        case .welcome(let message): message.encode(to: &json)
        case .authenticated(let expires, let id):
            json.raw(#"{"type":"authenticated""#)
            json.member("id", id)
            json.expires(expires)
        case .subscribed(let message): message.encode(to: &json)
        case .event:
            preconditionFailure("bug: events have an encoder of their own")
        case .live(let id):
            json.raw(#"{"type":"live""#)
            json.member("id", id)
        case .lagging(let id, let behind):
            json.raw(#"{"type":"lagging""#)
            json.member("id", id)
            json.member("behind", behind)
        case .gap(let message): message.encode(to: &json)
        case .reset(let message): message.encode(to: &json)
        case .cursor(let cursors):
            json.raw(#"{"type":"cursor""#)
            json.member("cursors", cursors)
        case .published(let message): message.encode(to: &json)
        case .unsubscribed(let id, let notice):
            json.raw(#"{"type":"unsubscribed""#)
            json.member("id", id)
            json.member("code", notice?.code)
            json.member("message", notice?.message)
            json.member("remedy", notice?.remedy)
        case .updated(let id):
            json.raw(#"{"type":"updated""#)
            json.member("id", id)
        case .error(let message): message.encode(to: &json)
        case .pong(let id, let time):
            json.raw(#"{"type":"pong""#)
            json.member("id", id)
            json.member("time", time)
        case .heartbeat(let time):
            json.raw(#"{"type":"heartbeat""#)
            json.member("time", time)
        case .closing(let message): message.encode(to: &json)
        }
    }
}

extension BrokerMessage.Welcome {
    fileprivate func encode(to json: inout JSONWriter) {
        json.raw(#"{"type":"welcome","protocol":"sluice.v1""#)
        json.member("session", session)
        json.member("node", node)
        json.member("version", version)
        json.member("time", time)
        json.member("heartbeat_ms", milliseconds: heartbeat)
        json.expires(expires)
        json.raw(#","limits":{"message_bytes":"#)
        json.integer(messageBytes)
        json.member("event_bytes", Int64(eventBytes))
        json.member("subscriptions", Int64(subscriptions))
        json.member("topics_per_subscribe", Int64(topicsPerSubscribe))
        json.member("filter_bytes", Int64(filterBytes))
        json.raw("}")
    }
}

extension BrokerMessage.Subscribed {
    fileprivate func encode(to json: inout JSONWriter) {
        json.raw(#"{"type":"subscribed""#)
        json.member("id", id)
        json.raw(#","topics":{"#)
        for (index, topic) in topics.enumerated() {
            if index > 0 { json.raw(",") }
            json.string(topic.topic.text)
            json.raw(#":{"cursor":"#)
            json.cursorOrNull(topic.cursor)
            json.member("earliest", topic.earliest)
            json.member("latest", topic.latest)
            json.raw("}")
        }
        json.raw("}")
        json.member("resume_from", resumeFrom)
        guard let granted else { return }
        json.raw(#","granted":["#)
        for (index, pattern) in granted.enumerated() {
            if index > 0 { json.raw(",") }
            json.string(pattern.text)
        }
        json.raw("]")
    }
}

extension BrokerMessage.Gap {
    fileprivate func encode(to json: inout JSONWriter) {
        json.raw(#"{"type":"gap""#)
        json.member("topic", topic.text)
        json.member("from", from)
        json.member("to", to)
        json.member("cursor", cursor.description)
        json.member("reason", reason)
    }
}

extension BrokerMessage.Reset {
    fileprivate func encode(to json: inout JSONWriter) {
        json.raw(#"{"type":"reset""#)
        json.member("topic", topic.text)
        json.raw(#","cursor":"#)
        json.cursorOrNull(cursor)
        json.member("reason", reason)
    }
}

extension BrokerMessage.Published {
    fileprivate func encode(to json: inout JSONWriter) {
        json.raw(#"{"type":"published""#)
        json.member("id", id)
        json.member("topic", topic.text)
        json.member("offset", cursor.offset)
        json.member("cursor", cursor.description)
        json.member("time", time)
        json.raw(isRepeat ? #","repeated":true"# : #","repeated":false"#)
    }
}

extension BrokerMessage.Closing {
    fileprivate func encode(to json: inout JSONWriter) {
        json.raw(#"{"type":"closing""#)
        json.member("code", Int64(code))
        json.member("reason", reason)
        if reconnectAfter == nil { json.raw(#","reconnect_after_ms":null"#) }
        json.member("reconnect_after_ms", milliseconds: reconnectAfter)
    }
}

extension JSONWriter {
    fileprivate mutating func expires(_ time: Timestamp?) {
        raw(#","expires":"#)
        if let time { self.time(time) } else { raw("null") }
    }

    fileprivate mutating func cursorOrNull(_ cursor: Cursor?) {
        if let cursor { string(cursor.description) } else { raw("null") }
    }
}
