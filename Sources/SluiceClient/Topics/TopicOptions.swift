internal import EventModel

/// Settings of a topic that are said: what is `nil` has the server's default in a new topic, and
/// stays as it is when a topic is altered.
///
/// `default` stands for the server's default.
public struct TopicOptions: Equatable, Sendable {
    /// Whether there is a log of its events; otherwise they are delivered live and kept nowhere.
    ///
    /// It can't change.
    public var isDurable: Bool?
    /// How long events are kept, like `7d`, or `unlimited`.
    public var retainAge: String?
    /// How many events are kept, or `unlimited`.
    public var retainCount: String?
    /// How many bytes of events are kept, like `1GiB`, or `unlimited`.
    public var retainBytes: String?
    /// The most bytes of one event, like `64KiB`.
    public var eventBytes: String?
    /// What a subscription does that reads too slowly, like `drop_oldest`.
    public var overflow: String?
    /// What it is for.
    public var description: String?

    /// Says settings.
    public init(
        isDurable: Bool? = nil, retainAge: String? = nil, retainCount: String? = nil,
        retainBytes: String? = nil, eventBytes: String? = nil, overflow: String? = nil,
        description: String? = nil
    ) {
        self.isDurable = isDurable
        self.retainAge = retainAge
        self.retainCount = retainCount
        self.retainBytes = retainBytes
        self.eventBytes = eventBytes
        self.overflow = overflow
        self.description = description
    }

    /// Whether none is said.
    public var isEmpty: Bool { self == TopicOptions() }

    /// The body of `PUT` and `PATCH /v1/topics/{topic}`.
    ///
    /// - Throws: `invalid_request`, for a text that is none of the setting's.
    package func body() throws(SluiceError) -> [UInt8] {
        var retain = Members()
        try retain.append("age", retainAge, "an age like 7d", isBound: true) { text in
            parseDuration(text) == nil ? nil : { $0.string(text) }
        }
        try retain.append("count", retainCount, "a number of events", isBound: true) { text in
            Int64(text).flatMap { count in count < 1 ? nil : { $0.integer(count) } }
        }
        try retain.append("bytes", retainBytes, "a size like 1GiB", isBound: true, value: Self.size)
        var members = Members()
        if let isDurable {
            members.append("durable", raw: Array((isDurable ? "true" : "false").utf8))
        }
        if !retain.isEmpty { members.append("retain", raw: retain.object) }
        try members.append("event_bytes", eventBytes, "a size like 64KiB", value: Self.size)
        let policies = OverflowPolicy.allCases.map(\.rawValue).joined(separator: ", ")
        try members.append("overflow", overflow, "one of \(policies)") { text in
            OverflowPolicy(rawValue: text) == nil ? nil : { $0.string(text) }
        }
        if let description {
            var writer = JSONWriter()
            writer.string(description)
            members.append("description", raw: writer.bytes)
        }
        return members.object
    }

    private static func size(_ text: String) -> ((inout JSONWriter) -> Void)? {
        parseSize(text).flatMap { size in size < 1 ? nil : { $0.integer(size) } }
    }

    /// The members of an object that are said.
    private struct Members {
        private var text: [UInt8] = []

        var isEmpty: Bool { text.isEmpty }

        var object: [UInt8] { Array("{".utf8) + text + Array("}".utf8) }

        mutating func append(_ name: String, raw: [UInt8]) {
            if !isEmpty { text += ",".utf8 }
            text += "\"\(name)\":".utf8
            text += raw
        }

        /// `isBound`: Whether it can be `unlimited`.
        mutating func append(
            _ name: String, _ said: String?, _ form: String, isBound: Bool = false,
            value: (String) -> ((inout JSONWriter) -> Void)?
        ) throws(SluiceError) {
            guard let said else { return }
            var writer = JSONWriter()
            if said == "default" {
                writer.raw("null")
            } else if said == "unlimited", isBound {
                writer.raw(#""unlimited""#)
            } else if let write = value(said) {
                write(&writer)
            } else {
                throw SluiceError(
                    .invalid, code: "invalid_request", "\(quoted(said)) is not \(form).",
                    remedy: "Write \(form)\(isBound ? ", 'unlimited'" : "") or 'default'.")
            }
            append(name, raw: writer.bytes)
        }
    }
}
