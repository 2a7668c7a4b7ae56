internal import CloudEvents
internal import EventModel
internal import Publishing

// CloudEvents over HTTP (CloudEvents HTTP binding 1.0.2) become requests like others.

extension PublishFields {
    /// Whether attributes came as headers, and the body is not an event format of CloudEvents (3).
    var isBinaryCloudEvent: Bool {
        !attributes.isEmpty
            && !(contentType?.lowercased().hasPrefix("application/cloudevents") ?? false)
    }

    /// The attributes with their values decoded (3.1.3.2).
    ///
    /// - Throws: `invalid_request`, `invalid_utf8`.
    func decodedAttributes() throws(BrokerError) -> [(name: String, value: String)] {
        var decoded: [(name: String, value: String)] = []
        for (name, value) in attributes {
            let field = "ce-" + name
            // NIO decodes fields as UTF-8 and repairs what is not.
            guard !value.unicodeScalars.contains("\u{fffd}") else {
                throw BrokerError(
                    .invalidUTF8, "The header \(field) is not UTF-8.",
                    remedy: "Percent-encode it.", at: InputPlace(field: field))
            }
            guard let text = percentDecoded(unquoted(value)[...]) else {
                throw BrokerError(
                    .invalidRequest,
                    "The header \(field) is \(quoted(value)), which is not percent-encoded UTF-8.",
                    remedy: "Send a percent sign as %25.", at: InputPlace(field: field))
            }
            decoded.append((name, text))
        }
        return decoded
    }

    /// The value with what is in double quotes taken out of them (RFC 9110 5.6.4).
    private func unquoted(_ value: String) -> String {
        guard value.utf8.contains(UInt8(ascii: "\"")) else { return value }
        var text = ""
        var isQuoted = false
        var characters = value.unicodeScalars.makeIterator()
        while let character = characters.next() {
            if character == "\"" {
                isQuoted.toggle()
            } else if isQuoted, character == "\\", let escaped = characters.next() {
                text.unicodeScalars.append(escaped)
            } else {
                text.unicodeScalars.append(character)
            }
        }
        return text
    }
}

extension PublishRequest {
    /// The binary mode (3.1).
    init(
        binary body: [UInt8], to topic: TopicName, _ fields: PublishFields, _ limits: Limits
    ) throws(BrokerError) {
        try fields.checkEncoding()
        let event = try CloudEvent(
            binary: fields.decodedAttributes(), contentType: fields.contentType, body: body,
            limits: limits)
        try self.init(event, to: topic, fields)
    }

    /// One event; it repeats one of the same source and id.
    init(
        _ event: CloudEvent, to topic: TopicName, _ fields: PublishFields
    ) throws(BrokerError) {
        try fields.refuseThoseOfEvents()
        self.init(
            .toOne(topic, [event.event], on: try fields.condition(), source: event.source),
            idempotencyKey: fields.idempotencyKey)
    }

    /// A batch (3.3), in which each event may be a repeat.
    init(
        batch: [CloudEvent], to topic: TopicName, _ fields: PublishFields
    ) throws(BrokerError) {
        try fields.refuseThoseOfEvents()
        try fields.refuseConditions()
        self.init(
            .toMany(
                batch.map { AddressedEvent(topic: topic, event: $0.event, source: $0.source) }),
            idempotencyKey: fields.idempotencyKey)
    }
}
