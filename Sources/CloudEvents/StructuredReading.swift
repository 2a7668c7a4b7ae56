package import EventModel

// The JSON format (CloudEvents JSON format 1.0.2), read.

extension CloudEvent {
    /// One event, `application/cloudevents+json`.
    ///
    /// - Throws: `invalid_json`, `invalid_utf8`, `invalid_request`, `unknown_field`,
    ///   `event_too_large`, with the place.
    package init(structured bytes: [UInt8], limits: Limits) throws(BrokerError) {
        var scanner = JSONScanner(bytes)
        scanner.skipSpace()
        self = try Self.read(from: &scanner, limits: limits)
        try scanner.checkEnd()
    }

    /// A batch, `application/cloudevents-batch+json` (4), which may be empty.
    ///
    /// - Throws: As above; nothing of the batch is valid then.
    package static func batch(
        _ bytes: [UInt8], limits: Limits
    ) throws(BrokerError) -> [CloudEvent] {
        var scanner = JSONScanner(bytes)
        scanner.skipSpace()
        guard scanner.take(UInt8(ascii: "[")) else { throw scanner.wrong("expected an array") }
        scanner.skipSpace()
        var events: [CloudEvent] = []
        if !scanner.take(UInt8(ascii: "]")) {
            repeat {
                scanner.skipSpace()
                events.append(try next(events.count + 1, from: &scanner, limits: limits))
                scanner.skipSpace()
            } while scanner.take(UInt8(ascii: ","))
            guard scanner.take(UInt8(ascii: "]")) else {
                throw scanner.wrong("expected ',' or ']'")
            }
        }
        try scanner.checkEnd()
        return events
    }

    private static func next(
        _ number: Int, from scanner: inout JSONScanner, limits: Limits
    ) throws(BrokerError) -> CloudEvent {
        guard number <= limits.bodyLinesMax else {
            throw BrokerError(
                .bodyTooLarge, "The batch has over \(limits.bodyLinesMax) events.",
                at: InputPlace(byte: scanner.position))
        }
        do throws(BrokerError) { return try read(from: &scanner, limits: limits) } catch {
            var error = error
            error.message = "Event \(number): \(error.message)"
            throw error
        }
    }

    private static func read(
        from scanner: inout JSONScanner, limits: Limits
    ) throws(BrokerError) -> CloudEvent {
        let start = scanner.position
        var members = Members()
        try scanner.object { (scanner, key) throws(BrokerError) in
            let name = try scanner.text(of: key, field: "a field's name")
            guard members.names.insert(name).inserted else {
                throw BrokerError(
                    .unknownField, "\(quoted(name)) is there twice.",
                    remedy: "Send each field once.",
                    at: InputPlace(byte: key.lowerBound, field: name))
            }
            guard members.names.count <= Members.countMax else {
                throw BrokerError(
                    .invalidRequest, "The event has over \(Members.countMax) members.",
                    at: InputPlace(byte: key.lowerBound))
            }
            let value = try scanner.value()
            do throws(BrokerError) {
                try members.add(name, scanner, value)
            } catch {
                var error = error
                error.at = InputPlace(byte: value.lowerBound, field: name)
                throw error
            }
        }
        do throws(BrokerError) {
            return try members.event(scanner.bytes, limits: limits)
        } catch {
            var error = error
            error.at = InputPlace(byte: start, field: error.at?.field)
            throw error
        }
    }
}

/// The members of one JSON object.
private struct Members {
    var names: Set<String> = []
    private var attributes = ContextAttributes()
    private var data: Range<Int>?
    private var base64: String?

    /// More than an event with all attributes that it may have.
    static let countMax = 64

    mutating func add(
        _ name: String, _ scanner: JSONScanner, _ value: Range<Int>
    ) throws(BrokerError) {
        if name == "data" { return data = value }
        let text = scanner.bytes[value]
        switch text.first {
        case UInt8(ascii: "n"): return  // 2.2: as if it were not there.
        case UInt8(ascii: "\""):
            let text = try scanner.text(of: value, field: name)
            if name == "data_base64" { return try addBase64(text) }
            try attributes.add(name, .init(text: text), field: name)
        case _ where name == "data_base64": throw wrong(name, "must be a string")
        case UInt8(ascii: "t"), UInt8(ascii: "f"):
            let text = String(decoding: text, as: UTF8.self)
            try attributes.add(name, .init(text: text, type: .boolean), field: name)
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            throw wrong(name, "must be a string, a boolean or an integer")
        default:
            let text = String(decoding: text, as: UTF8.self)
            guard Int32(text) != nil else { throw wrong(name, "must be an integer of 32 bits") }
            try attributes.add(name, .init(text: text, type: .integer), field: name)
        }
    }

    private mutating func addBase64(_ text: String) throws(BrokerError) {
        guard Base64.decodedCount(text) != nil else { throw wrong("data_base64", "is not Base64") }
        base64 = text
    }

    private func wrong(_ name: String, _ what: String) -> BrokerError {
        BrokerError(.invalidRequest, "\(quoted(name)) \(what).")
    }

    /// 3.1.2.
    func event(_ bytes: [UInt8], limits: Limits) throws(BrokerError) -> CloudEvent {
        switch (data, base64) {
        case (nil, nil):
            return try attributes.event(data: Array("null".utf8), .none, limits: limits)
        case (let data?, nil):
            return try attributes.event(data: Array(bytes[data]), .value, limits: limits)
        case (nil, let base64?):
            return try attributes.event(
                data: Array("\"\(base64)\"".utf8), .base64, limits: limits)
        case (.some, .some):
            throw BrokerError(
                .invalidRequest, "'data' and 'data_base64' come together.",
                remedy: "Send one of them.", at: InputPlace(field: "data_base64"))
        }
    }
}

extension JSONScanner {
    /// Nothing but white space may follow.
    fileprivate mutating func checkEnd() throws(BrokerError) {
        skipSpace()
        guard position == bytes.count else { throw wrong("expected the end of the text") }
    }
}
