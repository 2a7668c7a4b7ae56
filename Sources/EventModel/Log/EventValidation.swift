/// What holds for every event, whichever way it comes (doc:CommonRules).
package enum EventValidation {
    /// - Throws: `invalid_request` if it is not 1 to 500 bytes without NUL.
    package static func checkKey(_ key: String) throws(BrokerError) {
        try check(key, field: "key")
    }

    /// - Throws: `invalid_request` if it is not 1 to 500 bytes without NUL.
    package static func checkEventID(_ eventID: String) throws(BrokerError) {
        try check(eventID, field: "event_id")
    }

    /// Checks a text of the kind of `key`: 1 to 500 bytes without NUL.
    ///
    /// `field` is what the error calls it, like `Idempotency-Key`.
    package static func check(_ text: String, field: String) throws(BrokerError) {
        let size = text.utf8.count
        guard size >= 1, size <= Limits.keyBytesMax else {
            throw BrokerError(
                .invalidRequest,
                "\(quoted(field)) has 1 to \(Limits.keyBytesMax) bytes, not \(size).",
                at: InputPlace(field: field))
        }
        guard !text.utf8.contains(0) else {
            throw BrokerError(
                .invalidRequest, "\(quoted(field)) holds NUL.", at: InputPlace(field: field))
        }
    }

    /// What tells a CloudEvent's data from a JSON value, and its extensions' types (doc:CloudEvents).
    package static let dataMark = "sluice.data"
    package static let typesMark = "sluice.types"

    /// Attributes that do not count in the number: every CloudEvent has them.
    private static let uncounted: Set<String> = [
        "specversion", "source", "type", dataMark, typesMark,
    ]

    /// Bytes of attributes that are looked at: 1 KiB, and a trace context, however it is escaped.
    private static let attributesTextMax = Limits.attributesBytesMax + 8 << 10

    /// Checks attributes: an object of at most 16 texts, 1 KiB in all, each name once; the trace
    /// context is outside of both limits.
    ///
    /// The bytes are a JSON text without white space around it.
    /// Errors: `invalid_json`, `invalid_utf8`, `unknown_field` (a name twice), `invalid_request`.
    package static func attributes(_ bytes: [UInt8], limits: Limits) throws(BrokerError) {
        guard bytes.count <= attributesTextMax else {
            throw wrong("have \(bytes.count) bytes, over \(Limits.attributesBytesMax)")
        }
        var names: Set<String> = []
        var freeBytes = 0
        var count = 0
        var scanner = JSONScanner(bytes)
        guard bytes.first == UInt8(ascii: "{") else { throw wrong("must be an object") }
        try scanner.object { (scanner, key) throws(BrokerError) in
            let name = try scanner.text(of: key, field: "attributes")
            guard names.insert(name).inserted else {
                throw BrokerError(
                    .unknownField, "'attributes' has \(quoted(name)) twice.",
                    remedy: "Send each attribute once.", at: InputPlace(field: "attributes"))
            }
            let value = try scanner.value()
            guard bytes[value.lowerBound] == UInt8(ascii: "\"") else {
                throw wrong("have texts as values, unlike \(quoted(name))")
            }
            if TraceContext.isFree(name, try scanner.text(of: value, field: name)) {
                freeBytes += value.upperBound - key.lowerBound + 1
            } else if !uncounted.contains(name) {
                count += 1
            }
        }
        guard scanner.position == bytes.count else { throw scanner.wrong("expected the end") }
        guard bytes.count - freeBytes <= Limits.attributesBytesMax else {
            throw wrong("have \(bytes.count - freeBytes) bytes, over \(Limits.attributesBytesMax)")
        }
        guard count <= Limits.attributesMax else {
            throw wrong("are \(count), over \(Limits.attributesMax)")
        }
    }

    private static func wrong(_ what: String) -> BrokerError {
        BrokerError(
            .invalidRequest, "'attributes' \(what).", at: InputPlace(field: "attributes"))
    }

    /// - Throws: `event_too_large`.
    package static func checkSize(_ event: NewEvent, limits: Limits) throws(BrokerError) {
        guard event.byteCount <= limits.eventBytesMax else {
            throw BrokerError(
                .eventTooLarge,
                "The event has \(event.byteCount) bytes, over \(limits.eventBytesMax).")
        }
    }
}
