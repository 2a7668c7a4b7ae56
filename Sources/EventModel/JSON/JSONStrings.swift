extension JSONScanner {
    /// The text of a string that `string()` found, with its escapes resolved.
    ///
    /// The error names the string as `field`.
    ///
    /// - Returns: The text.
    /// - Throws: `invalid_json` for NUL and lone surrogates, which `key`, `event_id` and
    ///   attributes may not hold (doc:CommonRules).
    package func text(of range: Range<Int>, field: String) throws(BrokerError) -> String {
        let inner = bytes[range.lowerBound + 1..<range.upperBound - 1]
        guard inner.contains(UInt8(ascii: "\\")) else {
            return String(decoding: inner, as: UTF8.self)
        }
        var units = StringUnits(bytes: bytes, position: inner.startIndex, end: inner.endIndex)
        var text: [UInt8] = []
        while units.position < units.end {
            let start = units.position
            guard let isFine = units.appendNext(to: &text), isFine else {
                throw BrokerError(
                    .invalidJSON,
                    "\(quoted(field)) holds NUL or a lone surrogate at byte \(start).",
                    remedy: "Send text without \\u0000 and with surrogates in pairs.",
                    at: InputPlace(byte: start, field: field))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Resolves the escapes of a checked JSON string (RFC 8259 7).
private struct StringUnits {
    let bytes: [UInt8]
    var position: Int
    let end: Int

    /// Appends the next character.
    ///
    /// `false`: NUL or a lone surrogate.
    mutating func appendNext(to text: inout [UInt8]) -> Bool? {
        guard bytes[position] == UInt8(ascii: "\\") else {
            text.append(bytes[position])
            position += 1
            return true
        }
        let kind = bytes[position + 1]
        guard kind == UInt8(ascii: "u") else {
            text.append(Self.simpleEscape(kind))
            position += 2
            return true
        }
        var scalar = unit(at: position + 2)
        position += 6
        if (0xD800..<0xDC00).contains(scalar), position + 6 <= end,
            bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
        {
            let low = unit(at: position + 2)
            guard (0xDC00..<0xE000).contains(low) else { return false }
            scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
            position += 6
        }
        guard scalar != 0, let character = Unicode.Scalar(scalar) else { return false }
        text.append(contentsOf: Array(String(character).utf8))
        return true
    }

    private func unit(at index: Int) -> UInt32 {
        bytes[index..<index + 4].reduce(0) { $0 << 4 | (hexDigit($1) ?? 0) }
    }

    private static func simpleEscape(_ kind: UInt8) -> UInt8 {
        switch kind {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: kind
        }
    }
}

/// Writes JSON texts: literal parts as they are, strings escaped.
package struct JSONWriter {
    /// What has been written.
    package private(set) var bytes: [UInt8] = []

    package init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    /// Appends JSON syntax as it is.
    package mutating func raw(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    /// Appends a finished JSON text.
    package mutating func raw(_ text: [UInt8]) { bytes.append(contentsOf: text) }

    /// Appends an integer.
    package mutating func integer(_ value: Int64) { bytes.append(contentsOf: String(value).utf8) }

    /// Appends an integer of another type.
    package mutating func integer(_ value: some BinaryInteger) {
        bytes.append(contentsOf: String(value).utf8)
    }

    /// Appends a time, in quotes.
    package mutating func time(_ time: Timestamp) {
        bytes.append(UInt8(ascii: "\""))
        time.append(to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Appends a string, in quotes; only what must be is escaped (RFC 8259 7).
    package mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        if Self.isPlain(text.utf8Span.span) {
            bytes.append(contentsOf: text.utf8)
        } else {
            for byte in text.utf8 { character(byte) }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Appends a part of a string, in quotes.
    package mutating func string(_ text: some StringProtocol) { string(String(text)) }

    /// Whether nothing of the string is to be escaped.
    private static func isPlain(_ text: Span<UInt8>) -> Bool {
        for index in text.indices {
            let byte = text[index]
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                return false
            }
        }
        return true
    }

    private mutating func character(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(byte)
        case 0x0A: raw(#"\n"#)
        case 0x0D: raw(#"\r"#)
        case 0x09: raw(#"\t"#)
        case 0..<0x20:
            raw(#"\u00"#)
            bytes.append(contentsOf: String(byte >> 4, radix: 16).utf8)
            bytes.append(contentsOf: String(byte & 15, radix: 16).utf8)
        default: bytes.append(byte)
        }
    }
}
