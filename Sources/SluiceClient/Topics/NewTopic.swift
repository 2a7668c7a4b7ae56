internal import EventModel

/// What a topic is created with; what is `nil` has the server's default.
public struct NewTopic: Equatable, Sendable {
    /// Whether there is a log of its events; otherwise they are delivered live and kept nowhere.
    public var isDurable: Bool
    /// How long events are kept, like `7d`, or `unlimited`.
    public var retainAge: String?
    /// How many events are kept, or `unlimited`.
    public var retainCount: String?
    /// How many bytes of events are kept, or `unlimited`.
    public var retainBytes: String?
    /// What it is for.
    public var description: String

    /// Makes settings.
    public init(
        isDurable: Bool = true, retainAge: String? = nil, retainCount: String? = nil,
        retainBytes: String? = nil,
        description: String = ""
    ) {
        self.isDurable = isDurable
        self.retainAge = retainAge
        self.retainCount = retainCount
        self.retainBytes = retainBytes
        self.description = description
    }

    /// The body of `PUT /v1/topics/{topic}`.
    package func body() throws(SluiceError) -> [UInt8] {
        var writer = JSONWriter()
        writer.raw(#"{"durable":"#)
        writer.raw(isDurable ? "true" : "false")
        writer.raw(#","retain":{"age":"#)
        try append(retainAge, "an age like 7d", to: &writer) { text in
            parseDuration(text) == nil ? nil : { $0.string(text) }
        }
        writer.raw(#","count":"#)
        try append(retainCount, "a number of events", to: &writer) { text in
            Int64(text).flatMap { count in count < 1 ? nil : { $0.integer(count) } }
        }
        writer.raw(#","bytes":"#)
        try append(retainBytes, "a size like 1GiB", to: &writer) { text in
            parseSize(text).flatMap { size in size < 1 ? nil : { $0.integer(size) } }
        }
        writer.raw(#"},"description":"#)
        writer.string(description)
        writer.raw("}")
        return writer.bytes
    }

    private func append(
        _ text: String?, _ form: String, to writer: inout JSONWriter,
        value: (String) -> ((inout JSONWriter) -> Void)?
    ) throws(SluiceError) {
        switch text {
        case nil, "default": writer.raw("null")
        case "unlimited": writer.raw(#""unlimited""#)
        case .some(let text):
            guard let write = value(text) else {
                throw SluiceError(
                    .invalid, code: "invalid_request", "\(quoted(text)) is not \(form).",
                    remedy: "Write \(form), 'unlimited', or leave it out for the server's default.")
            }
            write(&writer)
        }
    }
}
