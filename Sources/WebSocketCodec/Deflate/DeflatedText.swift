/// A payload that is put together of others, which were deflated without context, and of bytes as
/// they are; nothing is deflated again.
///
/// A payload ends at a whole byte inside an empty stored block: its first bits are there, its
/// length is left out (RFC 7692 7.2.1). So there another length may follow, and as many bytes; and
/// a payload may follow behind them, or behind the length that was left out.
package struct DeflatedText {
    private var bytes: [UInt8] = []
    /// The first bits of a stored block are there, and its length is not.
    private var isBlockOpen = false

    /// What a JSON array of payloads begins with, has between them and ends with.
    package static let array = (
        begin: stored([UInt8(ascii: "[")], behindPayload: false),
        separator: stored([UInt8(ascii: ",")], behindPayload: true),
        end: stored([UInt8(ascii: "]")], behindPayload: true) + [blockBegin]
    )

    /// The length of an empty stored block, and its complement.
    private static let emptyLength: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]
    /// The first bits of a stored block that is not the last one, up to a whole byte (RFC 1951
    /// 3.2.4).
    private static let blockBegin: UInt8 = 0x00
    private static let blockBytesMax = 0xFFFF

    package init() {}

    private static func stored(_ bytes: [UInt8], behindPayload: Bool) -> [UInt8] {
        var text = DeflatedText()
        text.isBlockOpen = behindPayload
        text.append(stored: bytes)
        return text.bytes
    }

    /// Appends a payload that was deflated without context; only the first may be one with.
    package mutating func append(_ payload: [UInt8]) {
        if isBlockOpen { bytes.append(contentsOf: Self.emptyLength) }
        bytes.append(contentsOf: payload)
        isBlockOpen = true
    }

    /// Appends bytes as they are; 5 bytes more for each 64 KiB.
    package mutating func append(stored text: [UInt8]) {
        var rest = text[...]
        while !rest.isEmpty {
            if !isBlockOpen { bytes.append(Self.blockBegin) }
            let length = UInt16(min(rest.count, Self.blockBytesMax))
            for value in [length, ~length] {
                bytes.append(UInt8(truncatingIfNeeded: value))
                bytes.append(UInt8(truncatingIfNeeded: value >> 8))
            }
            bytes.append(contentsOf: rest.prefix(Int(length)))
            isBlockOpen = false
            rest = rest.dropFirst(Int(length))
        }
    }

    /// The payload of the whole.
    package var payload: [UInt8] { isBlockOpen ? bytes : bytes + [Self.blockBegin] }
}
