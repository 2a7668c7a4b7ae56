package import EventModel

/// The body of `PUT /v1/topics/{topic}`: what can be set (doc:HTTP, "A topic on the wire").
///
/// Members that are left out have their defaults, as PUT says all of the settings. What only the
/// broker sets (`revision`, `epoch`, …) may be there, so that a description can be sent back; it is
/// not looked at.
package struct TopicSettingsDocument {
    private let fields: ObjectReader
    private let limits: Limits

    /// - Throws: `invalid_json`, `invalid_utf8`, `unknown_field` (duplicates, too) or
    ///   `invalid_request`, with the place.
    package static func decode(
        _ bytes: [UInt8], topic: TopicName, limits: Limits
    ) throws(BrokerError) -> TopicSettings {
        var scanner = JSONScanner(bytes)
        let range = try scanner.wholeText()
        guard bytes[range.lowerBound] == UInt8(ascii: "{") else {
            throw BrokerError(
                .invalidRequest, "The body is not an object.",
                at: InputPlace(byte: range.lowerBound))
        }
        var fields = ObjectReader(bytes)
        try fields.read(in: range, membersMax: known.count)
        try fields.refuseFields(except: known)
        return try TopicSettingsDocument(fields: fields, limits: limits).settings(of: topic)
    }

    private static let known = [
        "topic", "durable", "retain", "event_bytes", "overflow", "description",
        "revision", "epoch", "earliest", "latest", "bytes", "created",
    ]

    private func settings(of topic: TopicName) throws(BrokerError) -> TopicSettings {
        if let name = try fields.string("topic"), name != topic.text {
            throw fields.wrong("topic", "is not the topic of the path")
        }
        guard fields.isNull("overflow") else {
            throw fields.wrong(
                "overflow", "can't be set for a topic by this version",
                remedy: "Leave it out; a subscription names its own policy.")
        }
        var settings = TopicSettings()
        settings.isDurable = try fields.boolean("durable") ?? true
        if !fields.isNull("event_bytes") {
            settings.eventBytesMax = try fields.integer(
                "event_bytes", in: 1...Int64(limits.eventBytesMax)
            ).map { Int($0) }
        }
        if let description = try fields.string("description") {
            let most = Self.descriptionBytesMax
            guard description.utf8.count <= most else {
                throw fields.wrong(
                    "description", "has \(description.utf8.count) bytes, over \(most)")
            }
            settings.description = description
        }
        if !fields.isNull("retain"), let retain = try fields.object("retain") {
            try retain.refuseFields(except: ["age", "count", "bytes"])
            settings.retainAge = try bound(retain, "age", age)
            settings.retainCount = try bound(retain, "count", number)
            settings.retainBytes = try bound(retain, "bytes", number)
        }
        guard settings.isDurable || !settings.isRetentionLimited else {
            throw fields.wrong(
                "retain", "fits no topic with \"durable\":false, which keeps nothing",
                remedy: "Leave it out.")
        }
        return settings
    }

    /// Bytes of a topic's description.
    package static let descriptionBytesMax = 1000

    private func bound<Value>(
        _ retain: ObjectReader, _ name: String,
        _ limited: (ObjectReader, String) throws(BrokerError) -> Value
    ) throws(BrokerError) -> Retention<Value> {
        if retain.isNull(name) { return .default }
        if retain.text(name) == Array(#""unlimited""#.utf8) { return .unlimited }
        return .limited(try limited(retain, name))
    }

    private func number(
        _ retain: ObjectReader, _ name: String
    ) throws(BrokerError) -> Int64 {
        try retain.required(try retain.integer(name, in: 1...Limits.integerMax), name)
    }

    private func age(_ retain: ObjectReader, _ name: String) throws(BrokerError) -> Duration {
        let text = try retain.required(try retain.string(name), name)
        guard let age = parseDuration(text), age > .zero else {
            throw retain.wrong(name, "is not a duration such as \"7d\"")
        }
        let most = Limits.durationMax
        guard age <= most else {
            throw retain.wrong(
                name, "is over \(durationText(most))",
                remedy: "Send a shorter one, or \"unlimited\".")
        }
        return age
    }
}
