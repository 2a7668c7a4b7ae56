package import EventModel

/// A topic on the wire (doc:HTTP).
package enum TopicDocument {
    package static func encode(_ topic: TopicDescription) -> [UInt8] {
        var json = JSONWriter(capacity: 512)
        write(topic, to: &json)
        json.raw("}")
        return json.bytes
    }

    /// The topic with `purged`, the number of events that were taken away.
    package static func encode(_ purge: TopicPurge) -> [UInt8] {
        var json = JSONWriter(capacity: 512)
        write(purge.topic, to: &json)
        json.raw(#","purged":"#)
        json.integer(purge.events)
        json.raw("}")
        return json.bytes
    }

    /// A page of the list: `{"topics":[…],"next":…}`; the next page begins after `next`.
    package static func encode(_ topics: [TopicDescription], next: TopicName?) -> [UInt8] {
        var json = JSONWriter(capacity: 32 + topics.count * 448)
        json.raw(#"{"topics":["#)
        for (index, topic) in topics.enumerated() {
            if index > 0 { json.raw(",") }
            write(topic, to: &json)
            json.raw("}")
        }
        json.raw(#"],"next":"#)
        if let next { json.string(next.text) } else { json.raw("null") }
        json.raw("}")
        return json.bytes
    }

    /// All members, without the brace behind them.
    private static func write(_ topic: TopicDescription, to json: inout JSONWriter) {
        let (position, settings) = (topic.position, topic.settings)
        json.raw(#"{"topic":"#)
        json.string(position.topic.text)
        json.raw(#","durable":"#)
        json.boolean(settings.isDurable)
        json.raw(#","retain":"#)
        writeRetain(settings.retainAge, settings.retainCount, settings.retainBytes, to: &json)
        json.raw(#","event_bytes":"#)
        if let most = settings.eventBytesMax { json.integer(most) } else { json.raw("null") }
        json.raw(#","overflow":"#)
        if let policy = settings.overflow {
            json.string(policy.rawValue)
        } else {
            json.raw("null")
        }
        json.raw(#","description":"#)
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
        writeEffective(topic, to: &json)
    }

    /// What holds for the topic: its own settings, else the server's defaults.
    private static func writeEffective(_ topic: TopicDescription, to json: inout JSONWriter) {
        let (settings, defaults) = (topic.settings, topic.defaults)
        json.raw(#","effective":{"retain":"#)
        writeRetain(
            settings.retainAge.effective(defaults.retainAge),
            settings.retainCount.effective(defaults.retainCount),
            settings.retainBytes.effective(defaults.retainBytes), to: &json)
        json.raw(#","event_bytes":"#)
        json.integer(settings.eventBytesMax ?? defaults.eventBytesMax)
        json.raw("}")
    }

    private static func writeRetain(
        _ age: Retention<Duration>, _ count: Retention<Int64>, _ bytes: Retention<Int64>,
        to json: inout JSONWriter
    ) {
        json.raw(#"{"age":"#)
        write(age, to: &json) { $0.string(durationText($1)) }
        json.raw(#","count":"#)
        write(count, to: &json) { $0.integer($1) }
        json.raw(#","bytes":"#)
        write(bytes, to: &json) { $0.integer($1) }
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
