/// Walks over a JSON text that was checked when it was published, without checking it again.
///
/// Nothing here reads outside of the text, and everything ends on whatever bytes; where a text is
/// not JSON, the positions mean nothing.
extension Span<UInt8> {
    /// The byte there; 0 behind the end.
    @inline(__always)
    func byte(at position: Int) -> UInt8 { position < count ? self[position] : 0 }

    /// The first position from `start` on that is no white space (RFC 8259 2).
    @inline(__always)
    func spaceSkipped(from start: Int) -> Int {
        var position = start
        while position < count, self[position] <= 0x20 { position += 1 }
        return position
    }

    /// Where the value at `start` ends.
    func endOfValue(from start: Int) -> Int {
        switch byte(at: start) {
        case UInt8(ascii: "\""): endOfString(from: start).end
        case UInt8(ascii: "{"), UInt8(ascii: "["): endOfContainer(from: start)
        default: endOfWord(from: start)
        }
    }

    /// Where the string ends whose quote is at `start`, and whether it holds escapes.
    func endOfString(from start: Int) -> (end: Int, hasEscapes: Bool) {
        var position = start + 1
        var hasEscapes = false
        while position < count {
            while position + 8 <= count {
                let word = word(at: position)
                let hits =
                    word.bytesEqual(to: UInt8(ascii: "\""))
                    | word.bytesEqual(to: UInt8(ascii: "\\"))
                guard hits == 0 else {
                    position += hits.trailingZeroBitCount >> 3
                    break
                }
                position += 8
            }
            switch byte(at: position) {
            case UInt8(ascii: "\""): return (position + 1, hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                position += 2
            default: position += 1
            }
        }
        return (count, hasEscapes)
    }

    /// Where the number, `true`, `false` or `null` at `start` ends.
    func endOfWord(from start: Int) -> Int {
        var position = start
        while position < count {
            switch self[position] {
            case 0...0x20, UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"): return position
            default: position += 1
            }
        }
        return position
    }

    private func endOfContainer(from start: Int) -> Int {
        var walk = ContainerWalk()
        var position = start + 1
        while position < count {
            if position + 8 <= count, walk.takes(word(at: position)) {
                position += 8
                continue
            }
            let end = Swift.min(position + 8, count)
            while position < end {
                walk.take(self[position])
                position += 1
                if walk.depth == 0 { return position }
            }
        }
        return count
    }

    /// How many elements the array at `start` has.
    func elementCount(from start: Int) -> Int {
        var position = spaceSkipped(from: start + 1)
        guard position < count, self[position] != UInt8(ascii: "]") else { return 0 }
        var number = 1
        while true {
            position = spaceSkipped(from: endOfValue(from: position))
            guard byte(at: position) == UInt8(ascii: ",") else { return number }
            position = spaceSkipped(from: position + 1)
            number += 1
        }
    }

    /// Eight bytes, the first of them lowest.
    @inline(__always)
    private func word(at position: Int) -> UInt64 {
        // Unsafe is only its name here: every bit pattern is a UInt64, and the bounds are checked.
        UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self))
    }
}

/// Where a walk over an array or object stands, behind its first byte.
private struct ContainerWalk {
    private(set) var depth = 1
    private var isInString = false
    private var isEscaped = false

    /// Takes eight bytes at once.
    ///
    /// - Returns: `false` if they may end the container or hold an escape; then nothing was taken.
    @inline(__always)
    mutating func takes(_ word: UInt64) -> Bool {
        guard !isEscaped, word.bytesEqual(to: UInt8(ascii: "\\")) == 0 else { return false }
        // Each byte of the product is the number of quotes up to there.
        let quotes = (word.exactBytesEqual(to: UInt8(ascii: "\"")) >> 7) &* 0x0101_0101_0101_0101
        var strings = (quotes << 7) & 0x8080_8080_8080_8080
        if isInString { strings = ~strings }
        // Bit 5 makes { and } of [ and ].
        let folded = word | 0x2020_2020_2020_2020
        let opening = (folded.exactBytesEqual(to: UInt8(ascii: "{")) & ~strings).markedBytes
        let closing = (folded.exactBytesEqual(to: UInt8(ascii: "}")) & ~strings).markedBytes
        guard closing < depth else { return false }
        depth += opening - closing
        if (quotes >> 56) & 1 == 1 { isInString.toggle() }
        return true
    }

    mutating func take(_ byte: UInt8) {
        guard !isInString else {
            let isEnd = byte == UInt8(ascii: "\"") && !isEscaped
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
            if isEnd { isInString = false }
            return
        }
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
        default: break
        }
    }
}

extension UInt64 {
    /// The lowest bit set is the top bit of the first of eight bytes that equals `byte`; 0: none.
    ///
    /// Bits above it may be wrong (Hacker's Delight 6-1).
    @inline(__always)
    fileprivate func bytesEqual(to byte: UInt8) -> UInt64 {
        let difference = self ^ (UInt64(byte) &* 0x0101_0101_0101_0101)
        return (difference &- 0x0101_0101_0101_0101) & ~difference & 0x8080_8080_8080_8080
    }

    /// The top bit of each of eight bytes that equals `byte`, and no other bit.
    @inline(__always)
    fileprivate func exactBytesEqual(to byte: UInt8) -> UInt64 {
        let difference = self ^ (UInt64(byte) &* 0x0101_0101_0101_0101)
        let others = (difference & 0x7F7F_7F7F_7F7F_7F7F) &+ 0x7F7F_7F7F_7F7F_7F7F
        return ~(others | difference | 0x7F7F_7F7F_7F7F_7F7F)
    }

    /// How many of eight bytes have their top bit set, where no other bit is.
    @inline(__always)
    fileprivate var markedBytes: Int {
        Int(truncatingIfNeeded: ((self >> 7) &* 0x0101_0101_0101_0101) >> 56)
    }
}
