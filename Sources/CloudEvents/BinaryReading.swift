package import EventModel

// The binary mode (CloudEvents HTTP binding 1.0.2, 3.1), read.

extension CloudEvent {
    /// What errors write before an attribute's name: that of its header.
    private static let prefix = "ce-"

    /// An event whose attributes are headers and whose data is the body; `attributes` are names
    /// without `ce-`, and values that are decoded already (3.1.3.2).
    ///
    /// JSON is kept as it is, other text as a JSON string, and the rest as `data_base64`. Without a
    /// content type, what is JSON is taken for it.
    ///
    /// - Throws: `invalid_request`, `invalid_json`, `invalid_utf8`, `unknown_field`,
    ///   `event_too_large`, with the place.
    package init(
        binary attributes: [(name: String, value: String)], contentType: String?, body: [UInt8],
        limits: Limits
    ) throws(BrokerError) {
        var context = ContextAttributes()
        for (name, value) in attributes {
            guard name != "datacontenttype" else {
                throw BrokerError(
                    .invalidRequest, "'ce-datacontenttype' is not for this mode.",
                    remedy: "Say it as Content-Type.", at: InputPlace(field: Self.prefix + name))
            }
            try context.add(name, .init(text: value), field: Self.prefix + name)
        }
        if let contentType {
            try context.add("datacontenttype", .init(text: contentType), field: "Content-Type")
        }
        let (data, form) = try Self.data(body, contentType.flatMap(ContentType.init))
        self = try context.event(data: data, form, prefix: Self.prefix, limits: limits)
    }

    private static func data(
        _ body: [UInt8], _ type: ContentType?
    ) throws(BrokerError) -> ([UInt8], DataForm) {
        if body.isEmpty { return (Array("null".utf8), .none) }
        if type?.isJSON ?? true {
            var scanner = JSONScanner(body)
            do throws(BrokerError) {
                return (Array(body[try scanner.wholeText()]), .value)
            } catch {
                if type != nil { throw error }
            }
        }
        if let type, type.isText, let text = String(validating: body, as: UTF8.self) {
            var json = JSONWriter(capacity: body.count + 2)
            json.string(text)
            return (json.bytes, .value)
        }
        return (Array("\"\(Base64.encode(body))\"".utf8), .base64)
    }
}
