package import EventModel
package import NIOHTTP1
internal import Publishing

/// The header fields that mean something for a publish, found in one pass.
package struct PublishFields: Sendable {
    var contentType: String?
    var contentEncoding: String?
    /// Governs the whole request.
    var idempotencyKey: String?
    /// The event's own id.
    var eventID: String?
    /// The event's key.
    var key: String?
    var ifMatch: String?
    var ifNoneMatch: String?
    /// Those of a CloudEvent, in lower case and without `ce-`; not decoded.
    var attributes: [(name: String, value: String)] = []
    private var traceparents: [String] = []
    private var tracestates: [String] = []

    /// - Throws: `invalid_request` for a field that comes twice or is not 1 to 500 bytes;
    ///   `invalid_utf8`.
    package init(_ headers: HTTPHeaders) throws(BrokerError) {
        for (name, value) in headers {
            // The length decides first, so that most fields cost one comparison.
            switch name.utf8.count {
            case 12 where name.isField("content-type"): try Self.set(&contentType, value, name)
            case 16 where name.isField("content-encoding"):
                try Self.set(&contentEncoding, value, name)
            case 15 where name.isField("idempotency-key"):
                try Self.set(&idempotencyKey, value, name)
                try Self.checkLabel(value, name)
            case 15 where name.isField("sluice-event-id"):
                try Self.set(&eventID, value, name)
                try Self.checkLabel(value, name)
            case 10 where name.isField("sluice-key"):
                try Self.set(&key, value, name)
                try Self.checkLabel(value, name)
            case 8 where name.isField("if-match"): try Self.set(&ifMatch, value, name)
            case 13 where name.isField("if-none-match"): try Self.set(&ifNoneMatch, value, name)
            case 11 where name.isField("traceparent"): traceparents.append(value)
            case 10 where name.isField("tracestate"): tracestates.append(value)
            case 4... where name.isField(beginningWith: "ce-"):
                attributes.append((name.dropFirst(3).lowercased(), value))
            default: break
            }
        }
    }

    private static func set(
        _ field: inout String?, _ value: String, _ name: String
    ) throws(BrokerError) {
        guard field == nil else {
            throw BrokerError(
                .invalidRequest, "The header \(name) comes twice.", at: InputPlace(field: name))
        }
        field = value
    }

    /// NIO decodes fields as UTF-8 and repairs what is not: a repaired text could name another key.
    private static func checkLabel(_ value: String, _ name: String) throws(BrokerError) {
        try EventValidation.check(value, field: name)
        guard !value.unicodeScalars.contains("\u{fffd}") else {
            throw BrokerError(
                .invalidUTF8, "The header \(name) is not UTF-8.", at: InputPlace(field: name))
        }
    }

    /// The body's media type.
    ///
    /// - Throws: `unsupported_media_type`, for a Content-Encoding too (RFC 9110 15.5.16).
    func mediaType(offered: [MediaType]) throws(BrokerError) -> MediaType {
        try checkEncoding()
        return try MediaType(contentType, offered: offered)
    }

    /// - Throws: `unsupported_media_type`.
    func checkEncoding() throws(BrokerError) {
        if let contentEncoding, contentEncoding.lowercased() != "identity" {
            throw BrokerError(
                .unsupportedMediaType,
                "The content encoding \(quoted(contentEncoding)) is not supported.",
                remedy: "Send the body as it is, without Content-Encoding.")
        }
    }

    /// The trace context, if there is one that is valid.
    var trace: TraceContext? {
        traceparents.isEmpty
            ? nil : TraceContext(traceparents: traceparents, tracestates: tracestates)
    }

    /// - Throws: `invalid_request` for a field that speaks of one topic, or one event.
    func refuseThoseOfOneTopic() throws(BrokerError) {
        try refuse(
            conditions + labels, "does not fit a request for many topics",
            remedy: "Publish to one topic, or say it in the lines.")
    }

    /// - Throws: `invalid_request` for a field that says what a CloudEvent says itself.
    func refuseThoseOfEvents() throws(BrokerError) {
        try refuse(
            labels, "does not fit a CloudEvent", remedy: "Say it as 'id' and 'partitionkey'.")
    }

    /// - Throws: `invalid_request` for a condition, as each event of a batch stands for itself.
    func refuseConditions() throws(BrokerError) {
        try refuse(
            conditions, "does not fit a batch", remedy: "Send one CloudEvent, or leave it out.")
    }

    private typealias Field = (value: String?, name: String)

    private var conditions: [Field] { [(ifMatch, "If-Match"), (ifNoneMatch, "If-None-Match")] }

    private var labels: [Field] { [(eventID, "Sluice-Event-Id"), (key, "Sluice-Key")] }

    private func refuse(
        _ fields: [Field], _ what: String, remedy: String
    ) throws(BrokerError) {
        guard let (_, name) = fields.first(where: { $0.value != nil }) else { return }
        throw BrokerError(
            .invalidRequest, "\(name) \(what).", remedy: remedy, at: InputPlace(field: name))
    }

    /// What the publisher expects of the topic's head.
    ///
    /// - Throws: `invalid_request` for conditions that are not of doc:HTTP.
    func condition() throws(BrokerError) -> HeadCondition? {
        guard ifMatch != nil || ifNoneMatch != nil else { return nil }
        guard ifMatch == nil || ifNoneMatch == nil else {
            throw BrokerError(
                .invalidRequest, "If-Match and If-None-Match come together.",
                remedy: "Send one of them.")
        }
        if let ifNoneMatch {
            guard ifNoneMatch == "*" else {
                throw BrokerError(
                    .invalidRequest, "If-None-Match is \(quoted(ifNoneMatch)), not '*'.",
                    at: InputPlace(field: "If-None-Match"))
            }
            return .neverPublished
        }
        guard let text = ifMatch, text.utf8.count > 2, text.hasPrefix("\""), text.hasSuffix("\""),
            let cursor = Cursor(text.dropFirst().dropLast())
        else {
            throw BrokerError(
                .invalidRequest, "If-Match is not one cursor in quotes.",
                remedy: "Send If-Match: \"CURSOR\", as the ETag of a publish says it.",
                at: InputPlace(field: "If-Match"))
        }
        return .head(cursor)
    }
}

extension String {
    /// Whether this is the field name, which is given in lower case (RFC 9110 5.1).
    func isField(_ lowercase: StaticString) -> Bool {
        utf8.count == lowercase.utf8CodeUnitCount && isField(beginningWith: lowercase)
    }

    /// Whether the field's name begins so; given in lower case.
    func isField(beginningWith lowercase: StaticString) -> Bool {
        let bytes = utf8Span.span
        guard bytes.count >= lowercase.utf8CodeUnitCount else { return false }
        return lowercase.withUTF8Buffer { wanted in
            for index in wanted.indices {
                let byte = bytes[index]
                let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                guard (isUpper ? byte | 0x20 : byte) == wanted[index] else { return false }
            }
            return true
        }
    }
}
