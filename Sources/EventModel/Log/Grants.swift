/// What an identity may do: which topics it may publish to and read, and what it may manage
/// (doc:Words).
///
/// Whatever is not granted is refused; the broker's own topics are nobody's to write.
/// A class, so that an identity is passed on for one reference.
package final class Grants: Sendable {
    /// What somebody may manage beyond events of his own.
    package enum AdminRight: String, CaseIterable, Sendable {
        /// List, create, change, purge and delete topics.
        case topics
    }

    package let publish: [TopicPattern]
    package let subscribe: [TopicPattern]
    package let admin: Set<AdminRight>

    private let published: PatternTree<Bool>
    private let read: PatternTree<Bool>

    /// Of a kind: a pattern that is subscribed to is held against each.
    package static let patternsMax = 100

    package init(
        publish: [TopicPattern] = [], subscribe: [TopicPattern] = [], admin: Set<AdminRight> = []
    ) {
        self.publish = publish
        self.subscribe = subscribe
        self.admin = admin
        published = PatternTree(publish)
        read = PatternTree(subscribe)
    }

    /// Whether a topic may be published to; most tokens have one pattern, which is asked first.
    package func cover(publish topic: TopicName) -> Bool {
        publish.first?.matches(topic) ?? false || published.matches(topic)
    }

    /// Whether a topic may be read.
    package func cover(subscribe topic: TopicName) -> Bool {
        subscribe.first?.matches(topic) ?? false || read.matches(topic)
    }

    /// Everything, as a token without grants has it.
    package static let everything = Grants(
        publish: [.everything], subscribe: [.everything, .reserved],
        admin: Set(AdminRight.allCases))

    package static let nothing = Grants()
}

extension Grants: Hashable {
    package static func == (left: Grants, right: Grants) -> Bool {
        left.publish == right.publish && left.subscribe == right.subscribe
            && left.admin == right.admin
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(publish)
        hasher.combine(subscribe)
        hasher.combine(admin)
    }
}

// MARK: As JSON

extension Grants {
    /// Reads `{"publish":[…],"subscribe":[…],"admin":[…]}`; what is absent is not granted.
    ///
    /// - Throws: `invalid_json`, `invalid_request`, `invalid_pattern`, `unknown_field`, or
    ///   `invalid_request` for more than `patternsMax` patterns of a kind.
    package convenience init(json: [UInt8]) throws(BrokerError) {
        var fields = ObjectReader(json)
        try fields.read(membersMax: 10)
        try fields.refuseFields(except: ["publish", "subscribe", "admin"])
        var admin: Set<AdminRight> = []
        for text in try Self.texts("admin", in: fields) {
            guard let right = AdminRight(rawValue: text) else {
                throw BrokerError(.invalidRequest, "There is no admin right \(quoted(text)).")
            }
            admin.insert(right)
        }
        self.init(
            publish: try Self.patterns("publish", in: fields),
            subscribe: try Self.patterns("subscribe", in: fields), admin: admin)
    }

    private static func patterns(
        _ name: String, in fields: ObjectReader
    ) throws(BrokerError) -> [TopicPattern] {
        let texts = try texts(name, in: fields)
        try checkCount(texts.count, of: name)
        var patterns: [TopicPattern] = []
        for text in texts { patterns.append(try TopicPattern(text)) }
        return patterns
    }

    private static func texts(
        _ name: String, in fields: ObjectReader
    ) throws(BrokerError) -> [String] {
        var texts: [String] = []
        for range in try fields.elements(name) ?? [] {
            texts.append(try fields.string(at: range, field: name))
        }
        return texts
    }

    /// - Throws: `invalid_request`.
    package static func checkCount(_ count: Int, of name: String) throws(BrokerError) {
        guard count > patternsMax else { return }
        throw BrokerError(
            .invalidRequest, "\(name) has \(count) patterns; \(patternsMax) are allowed.",
            remedy: "Use wildcards, or a token for each purpose.")
    }

    package func write(to json: inout JSONWriter) {
        json.raw(#"{"publish":"#)
        Self.write(publish.map(\.text), to: &json)
        json.raw(#","subscribe":"#)
        Self.write(subscribe.map(\.text), to: &json)
        json.raw(#","admin":"#)
        Self.write(admin.map(\.rawValue).sorted(), to: &json)
        json.raw("}")
    }

    package var json: [UInt8] {
        var json = JSONWriter()
        write(to: &json)
        return json.bytes
    }

    private static func write(_ texts: [String], to json: inout JSONWriter) {
        json.raw("[")
        for (index, text) in texts.enumerated() {
            if index > 0 { json.raw(",") }
            json.string(text)
        }
        json.raw("]")
    }
}
