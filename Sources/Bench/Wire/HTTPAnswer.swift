/// One answer of HTTP/1.1 with a length, as the broker writes them (RFC 9112).
struct HTTPAnswer: Equatable {
    let status: Int
    /// Of its line and headers, with the empty line.
    let headBytes: Int
    let bodyBytes: Int

    var byteCount: Int { headBytes + bodyBytes }

    /// Reads the answer at the beginning; `nil` if it is not whole, or is none.
    ///
    /// Unsafe memory on the hot path: nothing is copied.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard let head = Self.endOfHead(bytes), head >= 12, let status = Self.number(bytes, at: 9)
        else { return nil }
        self.status = status
        headBytes = head
        bodyBytes = Self.length(UnsafeRawBufferPointer(rebasing: bytes[..<head]))
        guard bytes.count >= byteCount else { return nil }
    }

    private static func endOfHead(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var index = 3
        while index < bytes.count {
            if bytes[index] == 0x0A, bytes[index - 1] == 0x0D, bytes[index - 2] == 0x0A,
                bytes[index - 3] == 0x0D
            {
                return index + 1
            }
            index += 1
        }
        return nil
    }

    private static let lengthName = Array("\ncontent-length:".utf8)

    /// What Content-Length says; 0 without it.
    private static func length(_ head: UnsafeRawBufferPointer) -> Int {
        var index = 0
        while index + lengthName.count < head.count {
            defer { index += 1 }
            guard head[index] == 0x0A else { continue }
            let name = head[index..<(index + lengthName.count)]
            // Letters differ from their small ones by this bit, and nothing else of the name does.
            guard zip(name, lengthName).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) else { continue }
            var at = index + lengthName.count
            while at < head.count, head[at] == 0x20 { at += 1 }
            return number(head, at: at) ?? 0
        }
        return 0
    }

    private static func number(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Int? {
        bytes.number(at: index).map { Int(truncatingIfNeeded: $0) }
    }
}

extension UnsafeRawBufferPointer {
    /// The decimal number that begins at this index; `nil` if none does.
    func number(at start: Int) -> UInt64? {
        var value: UInt64 = 0
        var index = start
        while index < count, index - start < 19 {
            let byte = self[index]
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { break }
            value = value &* 10 &+ UInt64(byte - UInt8(ascii: "0"))
            index += 1
        }
        return index > start ? value : nil
    }

    /// Where the text ends, if it is there.
    func end(of text: [UInt8], from start: Int = 0) -> Int? {
        guard let first = text.first else { return start }
        var index = start
        while index + text.count <= count {
            if self[index] == first, self[index..<(index + text.count)].elementsEqual(text) {
                return index + text.count
            }
            index += 1
        }
        return nil
    }
}
