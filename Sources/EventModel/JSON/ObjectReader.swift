/// Reads the members of one JSON object, and then their values by name and type.
///
/// The one way in which members are read. What the broker is sent is read strictly: a field twice
/// is refused here, an unknown one by `refuseFields`. What the broker sends is read leniently:
/// fields of later versions are ignored (doc:CommonRules).
///
/// Values stay ranges of the input until they are asked for, so `data` is never parsed twice nor
/// changed.
package struct ObjectReader {
    package let bytes: [UInt8]
    /// What errors write before a field's name, like `retain.` in an object within an object.
    private let path: String
    private var members: [Member] = []
    private var membersMax = 0
    private var isStrict = true

    private struct Member {
        let name: String
        let key: Range<Int>
        let value: Range<Int>
    }

    package init(_ bytes: [UInt8]) { self.init(bytes, path: "") }

    private init(_ bytes: [UInt8], path: String) {
        self.bytes = bytes
        self.path = path
    }

    /// Reads the object, and nothing but white space behind it.
    ///
    /// What was read before an error stays, so that the answer can name the request's `id`.
    /// `membersMax` bounds the memory that a hostile object costs. If `isStrict`, a second member
    /// of a name is refused (doc:CommonRules); otherwise the last one counts, as in most parsers.
    package mutating func read(
        in range: Range<Int>? = nil, membersMax: Int, isStrict: Bool = true
    ) throws(BrokerError) {
        self.membersMax = membersMax
        self.isStrict = isStrict
        var scanner = JSONScanner(bytes, in: range)
        scanner.skipSpace()
        try scanner.object { (scanner, key) throws(BrokerError) in
            let name = try scanner.text(of: key, field: "a field's name")
            if isStrict, members.contains(where: { $0.name == name }) {
                throw BrokerError(
                    .unknownField, "\(quoted(path + name)) is there twice.",
                    remedy: "Send each field once.",
                    at: InputPlace(byte: key.lowerBound, field: path + name))
            }
            guard members.count < membersMax else { throw unknown(name, at: key) }
            members.append(Member(name: name, key: key, value: try scanner.value()))
        }
        scanner.skipSpace()
        guard scanner.position == range?.upperBound ?? bytes.count else {
            throw scanner.wrong("expected the end of the text")
        }
    }

    /// Throws `unknown_field` with the first name that is not among these.
    package func refuseFields(except known: [String]) throws(BrokerError) {
        for member in members where !known.contains(member.name) {
            throw unknown(member.name, at: member.key)
        }
    }

    private func unknown(_ name: String, at key: Range<Int>) -> BrokerError {
        BrokerError(
            .unknownField, "There is no field \(quoted(path + name)) here.",
            at: InputPlace(byte: key.lowerBound, field: path + name))
    }

    /// The range of a value's text.
    package func value(_ name: String) -> Range<Int>? { members.last { $0.name == name }?.value }

    /// The text of a value.
    package func text(_ name: String) -> [UInt8]? { value(name).map { Array(bytes[$0]) } }

    package func isNull(_ name: String) -> Bool {
        guard let range = value(name) else { return true }
        return bytes[range.lowerBound] == UInt8(ascii: "n")
    }

    package func string(_ name: String) throws(BrokerError) -> String? {
        guard let range = value(name) else { return nil }
        return try string(at: range, field: name)
    }

    package func string(at range: Range<Int>, field: String) throws(BrokerError) -> String {
        guard bytes[range.lowerBound] == UInt8(ascii: "\"") else {
            throw wrong(field, "must be a string", at: range)
        }
        return try JSONScanner(bytes).text(of: range, field: path + field)
    }

    /// An integer without fraction and exponent.
    package func integer(_ name: String, in bounds: ClosedRange<Int64>) throws(BrokerError)
        -> Int64?
    {
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

    package func boolean(_ name: String) throws(BrokerError) -> Bool? {
        guard let range = value(name) else { return nil }
        switch bytes[range.lowerBound] {
        case UInt8(ascii: "t"): return true
        case UInt8(ascii: "f"): return false
        default: throw wrong(name, "must be true or false", at: range)
        }
    }

    /// The ranges of an array's elements.
    package func elements(_ name: String) throws(BrokerError) -> [Range<Int>]? {
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
    package func entries(
        _ name: String, _ entry: (String, Range<Int>) throws(BrokerError) -> Void
    ) throws(BrokerError) {
        guard let range = value(name) else { return }
        guard bytes[range.lowerBound] == UInt8(ascii: "{") else {
            throw wrong(name, "must be an object", at: range)
        }
        var scanner = JSONScanner(bytes, in: range)
        try scanner.object { (scanner, key) throws(BrokerError) in
            let text = try scanner.text(of: key, field: path + name)
            try entry(text, try scanner.value())
        }
    }

    /// The members of an object, read as strictly as this one; its errors name them `name.member`.
    package func object(_ name: String) throws(BrokerError) -> ObjectReader? {
        guard let range = value(name) else { return nil }
        return try object(at: range, field: name)
    }

    package func object(at range: Range<Int>, field: String) throws(BrokerError) -> ObjectReader {
        guard bytes[range.lowerBound] == UInt8(ascii: "{") else {
            throw wrong(field, "must be an object", at: range)
        }
        var inner = ObjectReader(bytes, path: "\(path)\(field).")
        try inner.read(in: range, membersMax: membersMax, isStrict: isStrict)
        return inner
    }

    /// The value, or an error that names what is missing.
    package func required<Value>(_ value: Value?, _ name: String) throws(BrokerError) -> Value {
        guard let value else {
            throw BrokerError(
                .invalidRequest, "\(quoted(path + name)) is missing.",
                at: InputPlace(field: path + name))
        }
        return value
    }

    /// An `invalid_request` about a field; the catalogue's remedy unless another is given.
    package func wrong(
        _ name: String, _ what: String, at range: Range<Int>? = nil, remedy: String? = nil
    ) -> BrokerError {
        BrokerError(
            .invalidRequest, "\(quoted(path + name)) \(what).", remedy: remedy,
            at: InputPlace(byte: (range ?? value(name))?.lowerBound, field: path + name))
    }

    /// Adds the field's place to an error of a value's own parser.
    package func placed(_ error: BrokerError, at range: Range<Int>, field: String) -> BrokerError {
        var error = error
        error.at = InputPlace(byte: range.lowerBound, field: path + field)
        return error
    }
}
