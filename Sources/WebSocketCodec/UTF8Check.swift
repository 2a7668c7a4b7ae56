/// Checks UTF-8 that arrives in pieces (Unicode 15, table 3-7); 3 bytes of state.
struct UTF8Check {
    /// Continuation bytes that the current scalar still needs.
    private var needed: UInt8 = 0
    /// The next continuation byte's range; narrower behind E0, ED, F0 and F4.
    private var low: UInt8 = 0x80
    private var high: UInt8 = 0xBF

    /// No scalar has begun and not ended.
    var isComplete: Bool { needed == 0 }

    /// Checks the bytes from `start` on; `false` as soon as they can't be a part of UTF-8.
    mutating func accept(_ bytes: [UInt8], from start: Int) -> Bool {
        var index = start
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if needed > 0 {
                guard low <= byte, byte <= high else { return false }
                needed -= 1
                (low, high) = (0x80, 0xBF)
            } else if byte >= 0x80 {
                guard begin(byte) else { return false }
            }
        }
        return true
    }

    private mutating func begin(_ byte: UInt8) -> Bool {
        switch byte {
        case 0xC2...0xDF: needed = 1
        case 0xE0: (needed, low) = (2, 0xA0)
        case 0xED: (needed, high) = (2, 0x9F)
        case 0xE1...0xEF: needed = 2
        case 0xF0: (needed, low) = (3, 0x90)
        case 0xF1...0xF3: needed = 3
        case 0xF4: (needed, high) = (3, 0x8F)
        default: return false
        }
        return true
    }
}
