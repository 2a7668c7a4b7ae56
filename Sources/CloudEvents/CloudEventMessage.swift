package import EventModel
package import SessionProtocol

/// Events, and what is told beside them, in the JSON format of CloudEvents (doc:CloudEvents).
package enum CloudEventMessage {
    /// An event with all attributes that it was published with, or, if it was no CloudEvent, as one
    /// of its topic's; `sluicecursor` is added, and the data is last and untouched.
    package static func encode(topic: TopicName, epoch: Epoch, event: Event) -> [UInt8] {
        let content = event.content
        let cursor = Cursor(epoch: epoch, offset: event.offset)
        var json = JSONWriter(capacity: 320 + content.byteCount)
        json.raw("{")
        var form = DataForm.value
        if let own = KeptCloudEvent(content) {
            own.attributes.write(to: &json)
            form = own.form
        } else {
            write(foreign: event, of: topic, cursor, to: &json)
        }
        json.raw(",")
        json.member("sluicecursor", cursor.description)
        switch form {
        case .none: break
        case .value: json.raw(#","data":"#)
        case .base64: json.raw(#","data_base64":"#)
        }
        if form != .none { json.raw(content.data) }
        json.raw("}")
        return json.bytes
    }

    /// An event that was no CloudEvent.
    private static func write(
        foreign event: Event, of topic: TopicName, _ cursor: Cursor, to json: inout JSONWriter
    ) {
        let content = event.content
        writeHead(id: cursor.description, topic, type: "sluice.event", event.time, to: &json)
        let extensions =
            [("partitionkey", content.key), ("sluiceeventid", content.eventID)]
            + (content.attributeTexts ?? []).filter { isExtension($0.name) }.map { ($0, $1) }
        var told: Set<String> = []
        for (name, text) in extensions {
            guard let text, AttributeRules.isString(text), told.insert(name).inserted else {
                continue
            }
            json.raw(",")
            json.member(name, text)
        }
    }

    /// Names that an event's attribute may have to come out under it.
    private static func isExtension(_ name: String) -> Bool {
        let taken: Set<String> = [
            "specversion", "id", "source", "type", "time", "datacontenttype", "dataschema",
            "subject", "partitionkey", "sluiceeventid", "sluicecursor",
        ]
        return ContextAttributes.isName(name) && !taken.contains(name)
    }

    private static func writeHead(
        id: String, _ topic: TopicName, type: String, _ time: Timestamp, to json: inout JSONWriter
    ) {
        json.member("specversion", "1.0")
        json.raw(",")
        json.member("id", id)
        json.raw(",")
        json.member("source", "/v1/topics/\(topic)")
        json.raw(",")
        json.member("type", type)
        json.raw(#","time":"#)
        json.time(time)
        json.raw(",")
        json.member("datacontenttype", "application/json")
    }

    // MARK: Beside events

    /// A gap or a reset as an event whose data is the session's message; `nil` for what is not told
    /// to whoever wants CloudEvents.
    package static func encode(_ message: BrokerMessage, now: Timestamp) -> [UInt8]? {
        switch message {
        case .gap(let gap):
            let id = "gap:\(Cursor(epoch: gap.cursor.epoch, offset: gap.from))-\(gap.to)"
            return notice(message, "sluice.gap", id: id, gap.topic, gap.cursor, now)
        case .reset(let reset):
            // Of a topic that is gone there is nothing but the time to tell it from another reset.
            let id = "reset:\(reset.cursor?.description ?? now.description)"
            return notice(message, "sluice.reset", id: id, reset.topic, reset.cursor, now)
        case .welcome, .authenticated, .subscribed, .event, .live, .lagging, .cursor, .published,
            .unsubscribed, .updated, .error, .pong, .heartbeat, .closing:
            return nil
        }
    }

    private static func notice(
        _ message: BrokerMessage, _ type: String, id: String, _ topic: TopicName,
        _ cursor: Cursor?, _ now: Timestamp
    ) -> [UInt8] {
        var json = JSONWriter(capacity: 512)
        json.raw("{")
        writeHead(id: id, topic, type: type, now, to: &json)
        if let cursor {
            json.raw(",")
            json.member("sluicecursor", cursor.description)
        }
        json.raw(#","data":"#)
        json.raw(message.encode())
        json.raw("}")
        return json.bytes
    }
}
