package import EventModel

/// The body of `PUT /v1/topics/{topic}`: what can be set (doc:HTTP, "A topic on the wire").
///
/// Members that are left out have their defaults, as PUT says all of the settings. What only the
/// broker sets (`revision`, `epoch`, …) may be there, so that a description can be sent back; it is
/// not looked at.
package struct TopicSettingsDocument {
    private let bytes: [UInt8]
    private let topic: TopicName
    private let limits: Limits
    private var settings = TopicSettings()

    /// - Throws: `invalid_json`, `invalid_utf8`, `unknown_field` (duplicates, too) or `invalid_request`, with the place.
    package static func decode(
        _ bytes: [UInt8], topic: TopicName, limits: Limits
    ) throws(BrokerError) -> TopicSettings {
        var document = TopicSettingsDocument(bytes: bytes, topic: topic, limits: limits)
        var scanner = JSONScanner(bytes)
        let range = try scanner.wholeText()
        try document.read(range)
        return document.settings
    }

    private init(bytes: [UInt8], topic: TopicName, limits: Limits) {
        self.bytes = bytes
        self.topic = topic
        self.limits = limits
    }

    private mutating func read(_ range: Range<Int>) throws(BrokerError) {
        for (name, value) in try members(of: range, in: "") {
            switch name {
            case "topic":
                guard try text(value, name) == topic.text else {
                    throw wrong(name, "is not the topic of the path", value)
                }
            case "durable": try readDurable(value)
            case "retain": try readRetain(value)
            case "event_bytes":
                settings.eventBytesMax =
                    isNull(value)
                    ? nil : Int(try integer(value, name, most: Int64(limits.eventBytesMax)))
            case "overflow":
                guard isNull(value) else {
                    throw wrong(
                        name, "can't be set for a topic by this version", value,
                        remedy: "Leave it out; a subscription names its own policy.")
                }
            case "description": try readDescription(value)
            case "revision", "epoch", "earliest", "latest", "bytes", "created": break
            default: throw unknown(name, value)
            }
        }
    }

    private mutating func readDurable(_ value: Range<Int>) throws(BrokerError) {
        switch bytes[value.lowerBound] {
        case UInt8(ascii: "t"): break
        case UInt8(ascii: "f"):
            throw wrong(
                "durable", "is false, but this version has durable topics only", value,
                remedy: "Leave it out, or send true.")
        default: throw wrong("durable", "is not true or false", value)
        }
    }

    private mutating func readDescription(_ value: Range<Int>) throws(BrokerError) {
        let description = try text(value, "description")
        let most = Self.descriptionBytesMax
        guard description.utf8.count <= most else {
            throw wrong(
                "description", "has \(description.utf8.count) bytes, over \(most)", value)
        }
        settings.description = description
    }

    /// Bytes of a topic's description.
    package static let descriptionBytesMax = 1000

    private mutating func readRetain(_ range: Range<Int>) throws(BrokerError) {
        guard !isNull(range) else { return }
        for (name, value) in try members(of: range, in: "retain.") {
            let path = "retain.\(name)"
            switch name {
            case "age":
                settings.retainAge = try bound(value, path) { value throws(BrokerError) in
                    guard let age = parseDuration(try text(value, path)), age > .zero else {
                        throw wrong(path, "is not a duration such as \"7d\"", value)
                    }
                    let most = Limits.durationMax
                    guard age <= most else {
                        throw wrong(
                            path, "is over \(durationText(most))", value,
                            remedy: "Send a shorter one, or \"unlimited\".")
                    }
                    return age
                }
            case "count": settings.retainCount = try bound(value, path, number(path))
            case "bytes": settings.retainBytes = try bound(value, path, number(path))
            default: throw unknown(path, value)
            }
        }
    }

    private func number(_ name: String) -> (Range<Int>) throws(BrokerError) -> Int64 {
        { value throws(BrokerError) in try integer(value, name, most: Limits.integerMax) }
    }

    private func bound<Value>(
        _ range: Range<Int>, _ name: String,
        _ limited: (Range<Int>) throws(BrokerError) -> Value
    ) throws(BrokerError) -> Retention<Value> {
        if isNull(range) { return .default }
        if bytes[range.lowerBound] == UInt8(ascii: "\""), try text(range, name) == "unlimited" {
            return .unlimited
        }
        return .limited(try limited(range))
    }

    /// The members of an object, in order, each name once.
    private func members(
        of range: Range<Int>, in path: String
    ) throws(BrokerError) -> [(name: String, value: Range<Int>)] {
        guard bytes[range.lowerBound] == UInt8(ascii: "{") else {
            throw BrokerError(
                .invalidRequest,
                "\(path.isEmpty ? "The body" : quoted(path.dropLast())) is not an object.",
                at: InputPlace(byte: range.lowerBound))
        }
        var found: [(name: String, value: Range<Int>)] = []
        var names: Set<String> = []
        var scanner = JSONScanner(bytes, in: range)
        try scanner.object { (scanner, key) throws(BrokerError) in
            let name = try scanner.text(of: key, field: "a field's name")
            guard names.insert(name).inserted else {
                throw BrokerError(
                    .unknownField, "\(quoted(path + name)) is there twice.",
                    remedy: "Send each field once.",
                    at: InputPlace(byte: key.lowerBound, field: path + name))
            }
            found.append((name, try scanner.value()))
        }
        return found
    }

    private func isNull(_ range: Range<Int>) -> Bool {
        bytes[range.lowerBound] == UInt8(ascii: "n")
    }

    private func text(_ range: Range<Int>, _ name: String) throws(BrokerError) -> String {
        guard bytes[range.lowerBound] == UInt8(ascii: "\"") else {
            throw wrong(name, "is not a text", range)
        }
        return try JSONScanner(bytes).text(of: range, field: name)
    }

    private func integer(
        _ range: Range<Int>, _ name: String, most: Int64
    ) throws(BrokerError) -> Int64 {
        guard let value = Cursor.offset(String(decoding: bytes[range], as: UTF8.self)),
            (1...most).contains(value)
        else { throw wrong(name, "is not an integer from 1 to \(most)", range) }
        return value
    }

    private func unknown(_ name: String, _ range: Range<Int>) -> BrokerError {
        BrokerError(
            .unknownField, "A topic has no field \(quoted(name)).",
            at: InputPlace(byte: range.lowerBound, field: name))
    }

    private func wrong(
        _ name: String, _ what: String, _ range: Range<Int>, remedy: String? = nil
    ) -> BrokerError {
        BrokerError(
            .invalidRequest, "\(quoted(name)) \(what).", remedy: remedy,
            at: InputPlace(byte: range.lowerBound, field: name))
    }
}
