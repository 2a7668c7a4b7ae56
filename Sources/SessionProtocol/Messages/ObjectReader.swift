import EventModel

/// Reads the members of one JSON object, and then their values by name and type.
///
/// Values stay ranges of the input until they are asked for, so `data` is never parsed twice nor
/// changed.
struct ObjectReader {
    let bytes: [UInt8]
    private var members: [Member] = []

    private struct Member {
        let name: String
        let key: Range<Int>
        let value: Range<Int>
    }

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Reads the object, and nothing but white space behind it.
    ///
    /// What was read before an error stays, so that the answer can name the request's `id`.
    /// `membersMax` bounds the memory that a hostile object costs. If `isStrict`, a second member
    /// of a name is refused (doc:CommonRules); otherwise the last one counts, as in most parsers.
    mutating func read(
        in range: Range<Int>? = nil, membersMax: Int, isStrict: Bool = true
    ) throws(BrokerError) {
        var scanner = JSONScanner(bytes, in: range)
        scanner.skipSpace()
        try scanner.object { (scanner, key) throws(BrokerError) in
            let name = try scanner.text(of: key, field: "a field's name")
            if isStrict, members.contains(where: { $0.name == name }) {
                throw BrokerError(
                    .unknownField, "\(quoted(name)) is there twice.",
                    remedy: "Send each field once.",
                    at: InputPlace(byte: key.lowerBound, field: name))
            }
            guard members.count < membersMax else { throw Self.unknown(name, at: key) }
            members.append(Member(name: name, key: key, value: try scanner.value()))
        }
        scanner.skipSpace()
        guard scanner.position == range?.upperBound ?? bytes.count else {
            throw scanner.wrong("expected the end of the text")
        }
    }

    /// Throws `unknown_field` with the first name that is not among these.
    func refuseFields(except known: [String]) throws(BrokerError) {
        for member in members where !known.contains(member.name) {
            throw Self.unknown(member.name, at: member.key)
        }
    }

    private static func unknown(_ name: String, at key: Range<Int>) -> BrokerError {
        BrokerError(
            .unknownField, "There is no field \(quoted(name)) here.",
            at: InputPlace(byte: key.lowerBound, field: name))
    }

    /// The range of a value's text.
    func value(_ name: String) -> Range<Int>? { members.last { $0.name == name }?.value }

    /// The text of a value.
    func text(_ name: String) -> [UInt8]? { value(name).map { Array(bytes[$0]) } }

    func isNull(_ name: String) -> Bool {
        guard let range = value(name) else { return true }
        return bytes[range.lowerBound] == UInt8(ascii: "n")
    }

    func string(_ name: String) throws(BrokerError) -> String? {
        guard let range = value(name) else { return nil }
        return try string(at: range, field: name)
    }

    func string(at range: Range<Int>, field: String) throws(BrokerError) -> String {
        guard bytes[range.lowerBound] == UInt8(ascii: "\"") else {
            throw wrong(field, "must be a string", at: range)
        }
        return try JSONScanner(bytes).text(of: range, field: field)
    }

    /// An integer without fraction and exponent.
    func integer(_ name: String, in bounds: ClosedRange<Int64>) throws(BrokerError) -> Int64? {
        guard let range = value(name) else { return nil }
        guard let value = Int64(String(decoding: bytes[range], as: UTF8.self)),
            bounds.contains(value)
        else {
            throw wrong(
                name, "must be an integer from \(bounds.lowerBound) to \(bounds.upperBound)",
                at: range)
        }
        return value
    }

    func boolean(_ name: String) throws(BrokerError) -> Bool? {
        guard let range = value(name) else { return nil }
        switch bytes[range.lowerBound] {
        case UInt8(ascii: "t"): return true
        case UInt8(ascii: "f"): return false
        default: throw wrong(name, "must be true or false", at: range)
        }
    }

    /// The ranges of an array's elements.
    func elements(_ name: String) throws(BrokerError) -> [Range<Int>]? {
        guard let range = value(name) else { return nil }
        guard bytes[range.lowerBound] == UInt8(ascii: "[") else {
            throw wrong(name, "must be an array", at: range)
        }
        var ranges: [Range<Int>] = []
        var scanner = JSONScanner(bytes, in: range.lowerBound + 1..<range.upperBound)
        scanner.skipSpace()
        // The grammar has been checked, so behind each value there is a comma or the bracket.
        while bytes[scanner.position] != UInt8(ascii: "]") {
            ranges.append(try scanner.value())
            scanner.skipSpace()
            guard bytes[scanner.position] == UInt8(ascii: ",") else { break }
            scanner = JSONScanner(bytes, in: scanner.position + 1..<range.upperBound)
            scanner.skipSpace()
        }
        return ranges
    }

    /// Calls `entry` with the name and the value's range of each member of an object.
    func entries(
        _ name: String, _ entry: (String, Range<Int>) throws(BrokerError) -> Void
    ) throws(BrokerError) {
        guard let range = value(name) else { return }
        guard bytes[range.lowerBound] == UInt8(ascii: "{") else {
            throw wrong(name, "must be an object", at: range)
        }
        var scanner = JSONScanner(bytes, in: range)
        try scanner.object { (scanner, key) throws(BrokerError) in
            let text = try scanner.text(of: key, field: name)
            try entry(text, try scanner.value())
        }
    }

    /// The value, or an error that names what is missing.
    func required<Value>(_ value: Value?, _ name: String) throws(BrokerError) -> Value {
        guard let value else {
            throw BrokerError(
                .invalidRequest, "\(quoted(name)) is missing.", at: InputPlace(field: name))
        }
        return value
    }

    /// An `invalid_request` about a field.
    func wrong(_ name: String, _ what: String, at range: Range<Int>? = nil) -> BrokerError {
        BrokerError(
            .invalidRequest, "\(quoted(name)) \(what).",
            at: InputPlace(byte: (range ?? value(name))?.lowerBound, field: name))
    }

    /// Adds the field's place to an error of a value's own parser.
    func placed(_ error: BrokerError, at range: Range<Int>, field: String) -> BrokerError {
        var error = error
        error.at = InputPlace(byte: range.lowerBound, field: field)
        return error
    }
}
