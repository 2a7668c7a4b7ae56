/// A string where it stands in its text, without its quotes.
struct StringText: Hashable, Sendable {
    let range: Range<Int>
    /// Whether a backslash begins an escape (RFC 8259 7); otherwise the bytes are the string.
    let hasEscapes: Bool

    /// Less than 0, 0, or greater than 0, in the order of the scalars, which is that of the UTF-8
    /// bytes.
    func order(_ text: Span<UInt8>, against other: StringText, _ otherText: Span<UInt8>) -> Int {
        guard hasEscapes || other.hasEscapes else {
            let length = min(range.count, other.range.count)
            for index in 0..<length {
                let byte = text.byte(at: range.lowerBound + index)
                let otherByte = otherText.byte(at: other.range.lowerBound + index)
                guard byte == otherByte else { return byte < otherByte ? -1 : 1 }
            }
            return range.count - other.range.count
        }
        var scalars = ScalarReader(self)
        var otherScalars = ScalarReader(other)
        while true {
            switch (scalars.next(in: text), otherScalars.next(in: otherText)) {
            case (nil, nil): return 0
            case (nil, _): return -1
            case (_, nil): return 1
            case (let scalar?, let otherScalar?):
                guard scalar == otherScalar else { return scalar < otherScalar ? -1 : 1 }
            }
        }
    }

    /// Whether the string begins with `prefix`, or is equal to it.
    func begins(_ text: Span<UInt8>, with prefix: [UInt8]) -> Bool {
        let start = StringText(range: 0..<prefix.count, hasEscapes: false)
        guard hasEscapes else {
            guard range.count >= prefix.count else { return false }
            let head = range.lowerBound..<range.lowerBound + prefix.count
            return StringText(range: head, hasEscapes: false)
                .order(text, against: start, prefix.span) == 0
        }
        var scalars = ScalarReader(self)
        var prefixScalars = ScalarReader(start)
        while let scalar = prefixScalars.next(in: prefix.span) {
            guard scalars.next(in: text) == scalar else { return false }
        }
        return true
    }
}

/// Gives a string's scalars one by one: escapes resolved, lone surrogates as themselves.
struct ScalarReader {
    private var position: Int
    private let end: Int
    private let resolvesEscapes: Bool

    init(_ string: StringText) {
        position = string.range.lowerBound
        end = string.range.upperBound
        resolvesEscapes = string.hasEscapes
    }

    /// The next scalar, or `nil` at the end.
    mutating func next(in text: Span<UInt8>) -> UInt32? {
        guard position < end else { return nil }
        let first = text.byte(at: position)
        position += 1
        if first == UInt8(ascii: "\\"), resolvesEscapes { return escape(in: text) }
        guard first >= 0x80 else { return UInt32(first) }
        let (head, count) =
            first >= 0xF0
            ? (first & 0x07, 3) : first >= 0xE0 ? (first & 0x0F, 2) : (first & 0x1F, 1)
        var scalar = UInt32(head)
        for _ in 0..<count {
            scalar = scalar << 6 | UInt32(text.byte(at: position) & 0x3F)
            position += 1
        }
        return scalar
    }

    private mutating func escape(in text: Span<UInt8>) -> UInt32 {
        let kind = text.byte(at: position)
        position += 1
        switch kind {
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0C
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "u"): break
        default: return UInt32(kind)
        }
        let unit = unit(in: text)
        position += 4
        guard (0xD800..<0xDC00).contains(unit), text.byte(at: position) == UInt8(ascii: "\\"),
            text.byte(at: position + 1) == UInt8(ascii: "u")
        else { return unit }
        position += 2
        let low = self.unit(in: text)
        guard (0xDC00..<0xE000).contains(low) else {
            position -= 2
            return unit
        }
        position += 4
        return 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
    }

    private func unit(in text: Span<UInt8>) -> UInt32 {
        var unit: UInt32 = 0
        for index in position..<position + 4 {
            let byte = text.byte(at: index)
            let digit =
                byte <= UInt8(ascii: "9") ? byte &- UInt8(ascii: "0") : (byte | 0x20) &- 87
            unit = unit << 4 | UInt32(digit & 15)
        }
        return unit
    }
}
