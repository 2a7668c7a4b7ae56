/// Checks JSON texts (RFC 8259) and finds their parts without changing a byte.
///
/// The broker keeps an event's `data` exactly as sent, so a parser that builds values would lose
/// digits, order and white space. The scanner walks over the bytes, checks grammar, UTF-8 and
/// nesting, and gives ranges.
package struct JSONScanner {
    /// The whole input.
    package let bytes: [UInt8]
    /// The next byte to read.
    package private(set) var position: Int
    private let end: Int
    private var depth = 0

    /// Scans a part of `bytes`, or all of it.
    package init(_ bytes: [UInt8], in range: Range<Int>? = nil) {
        self.bytes = bytes
        position = range?.lowerBound ?? 0
        end = range?.upperBound ?? bytes.count
    }

    /// Checks that the input is exactly one JSON text.
    ///
    /// - Returns: The text's range, without the white space around it.
    /// - Throws: `invalid_json` or `invalid_utf8` with the position of the first wrong byte.
    package mutating func wholeText() throws(BrokerError) -> Range<Int> {
        skipSpace()
        let range = try value()
        skipSpace()
        guard position == end else { throw wrong("expected the end of the text") }
        return range
    }

    /// Reads one value and gives its range.
    package mutating func value() throws(BrokerError) -> Range<Int> {
        let start = position
        switch peek() {
        case UInt8(ascii: "{"):
            try members { scanner, _ throws(BrokerError) in _ = try scanner.value() }
        case UInt8(ascii: "["): try array()
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): try number()
        default: throw wrong("expected a value")
        }
        return start..<position
    }

    /// Reads an object, and calls `member` with each key's range (with its quotes) where its value
    /// begins.
    ///
    /// It is an envelope and no level of its own: an event that is as deep as allowed fits into a
    /// message.
    package mutating func object(
        _ member: (inout JSONScanner, Range<Int>) throws(BrokerError) -> Void
    ) throws(BrokerError) {
        try members { scanner, key throws(BrokerError) in
            scanner.depth -= 1
            try member(&scanner, key)
            scanner.depth += 1
        }
    }

    private mutating func members(
        _ member: (inout JSONScanner, Range<Int>) throws(BrokerError) -> Void
    ) throws(BrokerError) {
        try enter(UInt8(ascii: "{"), "expected an object")
        if take(UInt8(ascii: "}")) { return leave() }
        while true {
            skipSpace()
            guard peek() == UInt8(ascii: "\"") else { throw wrong("expected a string as key") }
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw wrong("expected ':'") }
            skipSpace()
            try member(&self, key)
            skipSpace()
            if take(UInt8(ascii: "}")) { return leave() }
            guard take(UInt8(ascii: ",")) else { throw wrong("expected ',' or '}'") }
        }
    }

    private mutating func array() throws(BrokerError) {
        try enter(UInt8(ascii: "["), "expected an array")
        if take(UInt8(ascii: "]")) { return leave() }
        while true {
            skipSpace()
            _ = try value()
            skipSpace()
            if take(UInt8(ascii: "]")) { return leave() }
            guard take(UInt8(ascii: ",")) else { throw wrong("expected ',' or ']'") }
        }
    }

    private mutating func enter(_ bracket: UInt8, _ expected: String) throws(BrokerError) {
        guard peek() == bracket else { throw wrong(expected) }
        guard depth < Limits.nestingMax else {
            throw wrong("nested deeper than \(Limits.nestingMax) levels")
        }
        depth += 1
        position += 1
        skipSpace()
    }

    private mutating func leave() { depth -= 1 }

    /// Reads a string and gives its range, with its quotes.
    ///
    /// Lone surrogates in escapes are allowed (RFC 8259 8.2).
    package mutating func string() throws(BrokerError) -> Range<Int> {
        let start = position
        position += 1
        while position < end {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return start..<position
            case UInt8(ascii: "\\"): try escape()
            case 0..<0x20: throw wrong("control character in a string; escape it")
            case 0x80...: try multibyteScalar()
            default: position += 1
            }
        }
        throw wrong("the string does not end")
    }

    private mutating func escape() throws(BrokerError) {
        position += 1
        switch peek() {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        case UInt8(ascii: "u"):
            position += 1
            for _ in 0..<4 {
                guard let byte = peek(), hexDigit(byte) != nil else {
                    throw wrong("expected four hexadecimal digits")
                }
                position += 1
            }
        default: throw wrong("no such escape")
        }
    }

    /// Unicode 15, table 3-7: well-formed UTF-8 byte sequences.
    private mutating func multibyteScalar() throws(BrokerError) {
        let first = bytes[position]
        let second: ClosedRange<UInt8>
        let count: Int
        switch first {
        case 0xC2...0xDF: (second, count) = (0x80...0xBF, 2)
        case 0xE0: (second, count) = (0xA0...0xBF, 3)
        case 0xE1...0xEC, 0xEE...0xEF: (second, count) = (0x80...0xBF, 3)
        case 0xED: (second, count) = (0x80...0x9F, 3)
        case 0xF0: (second, count) = (0x90...0xBF, 4)
        case 0xF1...0xF3: (second, count) = (0x80...0xBF, 4)
        case 0xF4: (second, count) = (0x80...0x8F, 4)
        default: throw notUTF8()
        }
        guard position + count <= end, second.contains(bytes[position + 1]) else { throw notUTF8() }
        for index in position + 2..<position + max(count, 2)
        where !(0x80...0xBF).contains(bytes[index]) {
            throw notUTF8()
        }
        position += count
    }

    private mutating func literal(_ word: StaticString) throws(BrokerError) {
        for byte in word.description.utf8 {
            guard peek() == byte else { throw wrong("expected '\(word)'") }
            position += 1
        }
    }

    private mutating func number() throws(BrokerError) {
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            _ = take(UInt8(ascii: "+")) || take(UInt8(ascii: "-"))
            try digits()
        }
    }

    private mutating func digits() throws(BrokerError) {
        let start = position
        while let byte = peek(), (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw wrong("expected a digit") }
    }

    private func peek() -> UInt8? { position < end ? bytes[position] : nil }

    /// Passes over the next byte if it is this one.
    package mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    /// RFC 8259 2: space, tab, line feed, carriage return.
    package mutating func skipSpace() {
        while position < end {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    /// An `invalid_json` at the current position; a byte that is not UTF-8 there is told as that.
    package func wrong(_ what: String) -> BrokerError {
        guard let byte = peek() else {
            return BrokerError(
                .invalidJSON, "At byte \(position): \(what), found the end of the input.",
                at: InputPlace(byte: position))
        }
        if byte >= 0x80 {
            var ahead = self
            do { try ahead.multibyteScalar() } catch { return error }
        }
        return BrokerError(
            .invalidJSON, "At byte \(position): \(what).", at: InputPlace(byte: position))
    }

    private func notUTF8() -> BrokerError {
        BrokerError(
            .invalidUTF8, "At byte \(position): not UTF-8.", at: InputPlace(byte: position))
    }
}

/// The value of a hexadecimal digit.
func hexDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
}
