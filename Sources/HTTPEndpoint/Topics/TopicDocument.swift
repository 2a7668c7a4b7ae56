package import EventModel

/// A topic on the wire (doc:HTTP).
package enum TopicDocument {
    package static func encode(_ topic: TopicDescription) -> [UInt8] {
        var json = JSONWriter(capacity: 384)
        write(topic, to: &json)
        return json.bytes
    }

    /// A page of the list: `{"topics":[…],"next":…}`; the next page begins after `next`.
    package static func encode(_ topics: [TopicDescription], next: TopicName?) -> [UInt8] {
        var json = JSONWriter(capacity: 32 + topics.count * 320)
        json.raw(#"{"topics":["#)
        for (index, topic) in topics.enumerated() {
            if index > 0 { json.raw(",") }
            write(topic, to: &json)
        }
        json.raw(#"],"next":"#)
        if let next { json.string(next.text) } else { json.raw("null") }
        json.raw("}")
        return json.bytes
    }

    private static func write(_ topic: TopicDescription, to json: inout JSONWriter) {
        let (position, settings) = (topic.position, topic.settings)
        json.raw(#"{"topic":"#)
        json.string(position.topic.text)
        json.raw(#","durable":"#)
        json.boolean(settings.isDurable)
        json.raw(#","retain":{"age":"#)
        write(settings.retainAge, to: &json) { $0.string(durationText($1)) }
        json.raw(#","count":"#)
        write(settings.retainCount, to: &json) { $0.integer($1) }
        json.raw(#","bytes":"#)
        write(settings.retainBytes, to: &json) { $0.integer($1) }
        json.raw(#"},"event_bytes":"#)
        if let most = settings.eventBytesMax { json.integer(most) } else { json.raw("null") }
        json.raw(#","overflow":null,"description":"#)
        json.string(settings.description)
        json.raw(#","revision":"#)
        json.integer(topic.revision)
        json.raw(#","epoch":"#)
        json.string(position.epoch.text)
        json.raw(#","earliest":"#)
        json.integer(position.earliest)
        json.raw(#","latest":"#)
        json.integer(position.latest)
        json.raw(#","bytes":"#)
        json.integer(topic.bytes)
        json.raw(#","created":"#)
        json.time(topic.created)
        json.raw("}")
    }

    private static func write<Value>(
        _ bound: Retention<Value>, to json: inout JSONWriter,
        _ value: (inout JSONWriter, Value) -> Void
    ) {
        switch bound {
        case .default: json.raw("null")
        case .unlimited: json.raw(#""unlimited""#)
        case .limited(let most): value(&json, most)
        }
    }
}
