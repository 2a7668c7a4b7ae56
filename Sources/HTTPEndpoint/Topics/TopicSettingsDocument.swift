package import EventModel

/// The settings in the body of a PUT or PATCH of `/v1/topics/{topic}` (doc:HTTP, "A topic on the
/// wire").
///
/// Members that are left out stay as they are in what the document is laid onto: PUT says all of
/// the settings, so it begins with the defaults, and a merge patch (RFC 7396) changes some. `null`
/// means the default in both. What only the broker sets (`revision`, `epoch`, …) may be there, so
/// that a description can be sent back; it is not looked at.
package struct TopicSettingsDocument {
    private let fields: ObjectReader
    private let limits: Limits

    /// - Throws: `invalid_json`, `invalid_utf8`, `unknown_field` (duplicates, too) or
    ///   `invalid_request`, with the place.
    package static func decode(
        _ bytes: [UInt8], topic: TopicName, limits: Limits, onto base: TopicChanges
    ) throws(BrokerError) -> TopicChanges {
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
        return try TopicSettingsDocument(fields: fields, limits: limits).changes(of: topic, base)
    }

    private static let known = DocumentSchemas.settings.names

    private func changes(
        of topic: TopicName, _ base: TopicChanges
    ) throws(BrokerError) -> TopicChanges {
        if let name = try fields.string("topic"), name != topic.text {
            throw fields.wrong("topic", "is not the topic of the path")
        }
        var changes = base
        changes.isDurable = try fields.boolean("durable") ?? base.isDurable
        if has("event_bytes") { changes.eventBytesMax = .some(try eventBytes()) }
        if has("overflow") { changes.overflow = .some(try overflow()) }
        if has("description") { changes.description = try description() }
        if fields.isNull("retain") {
            guard has("retain") else { return changes }
            changes.retainAge = .default
            changes.retainCount = .default
            changes.retainBytes = .default
        } else if let retain = try fields.object("retain") {
            try retain.refuseFields(except: ["age", "count", "bytes"])
            changes.retainAge = try bound(retain, "age", age) ?? changes.retainAge
            changes.retainCount = try bound(retain, "count", number) ?? changes.retainCount
            changes.retainBytes = try bound(retain, "bytes", number) ?? changes.retainBytes
        }
        let settings = changes.applied(to: TopicSettings())
        guard settings.isDurable || !settings.isRetentionLimited else {
            throw fields.wrong(
                "retain", "fits no topic with \"durable\":false, which keeps nothing",
                remedy: "Leave it out.")
        }
        return changes
    }

    private func has(_ name: String) -> Bool { fields.value(name) != nil }

    private func eventBytes() throws(BrokerError) -> Int? {
        guard !fields.isNull("event_bytes") else { return nil }
        return try fields.integer("event_bytes", in: 1...Int64(limits.eventBytesMax))
            .map { Int($0) }
    }

    private func overflow() throws(BrokerError) -> OverflowPolicy? {
        guard !fields.isNull("overflow"), let name = try fields.string("overflow") else {
            return nil
        }
        guard let policy = OverflowPolicy(rawValue: name) else {
            let known = OverflowPolicy.allCases.map(\.rawValue).joined(separator: ", ")
            throw fields.wrong(
                "overflow", "is no policy", remedy: "Send one of \(known), or null.")
        }
        return policy
    }

    private func description() throws(BrokerError) -> String {
        guard !fields.isNull("description"), let text = try fields.string("description") else {
            return ""
        }
        let most = Self.descriptionBytesMax
        guard text.utf8.count <= most else {
            throw fields.wrong("description", "has \(text.utf8.count) bytes, over \(most)")
        }
        return text
    }

    /// Bytes of a topic's description.
    package static let descriptionBytesMax = 1000

    private func bound<Value>(
        _ retain: ObjectReader, _ name: String,
        _ limited: (ObjectReader, String) throws(BrokerError) -> Value
    ) throws(BrokerError) -> Retention<Value>? {
        guard retain.value(name) != nil else { return nil }
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
