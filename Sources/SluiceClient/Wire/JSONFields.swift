package import EventModel

/// The members of a JSON object, found in its bytes without building values.
///
/// For answers of the broker: unknown members are ignored (doc:CommonRules), and a member of an
/// unexpected form counts as absent.
package struct JSONFields {
    package let bytes: [UInt8]
    private var ranges: [String: Range<Int>] = [:]

    /// Finds the members.
    ///
    /// - Parameters:
    ///   - bytes: A text that holds the object.
    ///   - range: Where the object is; all of the text if absent.
    /// - Throws: `invalid_json` or `invalid_utf8` if there is something else, or a member twice.
    package init(_ bytes: [UInt8], in range: Range<Int>? = nil) throws(BrokerError) {
        self.bytes = bytes
        var scanner = JSONScanner(bytes, in: range)
        var ranges: [String: Range<Int>] = [:]
        scanner.skipSpace()
        try scanner.object { scanner, key throws(BrokerError) in
            let name = try scanner.text(of: key, field: "a member's name")
            let value = try scanner.value()
            guard ranges.updateValue(value, forKey: name) == nil else {
                throw BrokerError(
                    .invalidJSON, "The member \(quoted(name)) is there twice.",
                    at: InputPlace(byte: key.lowerBound, field: name))
            }
        }
        scanner.skipSpace()
        guard scanner.position == range?.upperBound ?? bytes.count else {
            throw scanner.wrong("expected the end of the text")
        }
        self.ranges = ranges
    }

    /// The names, in no order.
    package var names: [String] { Array(ranges.keys) }

    /// The member's exact text.
    package func raw(_ name: String) -> [UInt8]? {
        ranges[name].map { Array(bytes[$0]) }
    }

    /// A string member; `nil` for null and other forms.
    package func text(_ name: String) -> String? {
        guard let range = ranges[name], bytes[range.lowerBound] == UInt8(ascii: "\"") else {
            return nil
        }
        return try? JSONScanner(bytes).text(of: range, field: name)
    }

    /// An integer member.
    package func integer(_ name: String) -> Int64? {
        ranges[name].flatMap { Int64(String(decoding: bytes[$0], as: UTF8.self)) }
    }

    /// A true or false member.
    package func flag(_ name: String) -> Bool? {
        ranges[name].flatMap { Bool(String(decoding: bytes[$0], as: UTF8.self)) }
    }

    /// A string, or a number as it is written; `nil` for null.
    package func textOrNumber(_ name: String) -> String? {
        if let text = text(name) { return text }
        guard let range = ranges[name], let first = range.first.map({ bytes[$0] }) else {
            return nil
        }
        let isNumber = first == UInt8(ascii: "-") || (0x30...0x39).contains(first)
        return isNumber ? String(decoding: bytes[range], as: UTF8.self) : nil
    }

    /// An object member.
    package func object(_ name: String) -> JSONFields? {
        ranges[name].flatMap { try? JSONFields(bytes, in: $0) }
    }

    /// The objects of an array member, in order.
    package func objects(_ name: String) -> [JSONFields] {
        elements(name).compactMap { try? JSONFields(bytes, in: $0) }
    }

    /// The exact texts of an array member's elements.
    package func rawElements(_ name: String) -> [[UInt8]] {
        elements(name).map { Array(bytes[$0]) }
    }

    /// The array was checked when the object was read, so elements and commas alternate.
    private func elements(_ name: String) -> [Range<Int>] {
        guard let range = ranges[name], bytes[range.lowerBound] == UInt8(ascii: "[") else {
            return []
        }
        var found: [Range<Int>] = []
        var position = range.lowerBound + 1
        while position < range.upperBound - 1 {
            var scanner = JSONScanner(bytes, in: position..<range.upperBound - 1)
            scanner.skipSpace()
            guard let element = try? scanner.value() else { break }
            found.append(element)
            scanner.skipSpace()
            position = scanner.position + 1
        }
        return found
    }
}
