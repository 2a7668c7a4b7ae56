/// Which end of the connection the codec serves: only clients mask (RFC 6455 5.1).
package enum WebSocketRole: UInt8, Sendable {
    case server
    case client
}

/// What a frame carries (RFC 6455 5.2).
package enum WebSocketOpcode: UInt8, Sendable {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    /// Control frames are at most 125 bytes and never fragmented (RFC 6455 5.5).
    package var isControl: Bool { rawValue & 0x8 != 0 }
}

/// Writes frames (RFC 6455 5.2).
package enum WebSocketFrame {
    /// The most bytes of a control frame's payload.
    package static let controlBytesMax = 125
    /// The most bytes of a server's header.
    package static let headerBytesMax = 10

    /// The header of a server's frame: 2, 4 or 10 bytes, the shortest that fits.
    ///
    /// `isCompressed` is for the first frame of a message whose payload is deflated (RFC 7692 6).
    package static func header(
        opcode: WebSocketOpcode, payloadLength: Int, fin: Bool = true, isCompressed: Bool = false
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headerBytesMax)
        let first = firstByte(opcode, fin: fin, isCompressed: isCompressed)
        appendHeader(first, payloadLength, maskBit: 0, to: &bytes)
        return bytes
    }

    /// Writes the header of a server's frame to the beginning of `place`, of `headerBytesMax` bytes
    /// at least, and returns its length.
    package static func writeHeader(
        opcode: WebSocketOpcode, payloadLength: Int, isCompressed: Bool = false,
        to place: UnsafeMutableRawBufferPointer
    ) -> Int {
        // Unsafe memory: on the hot path frames are made where they are sealed.
        var count = 0
        let first = firstByte(opcode, fin: true, isCompressed: isCompressed)
        header(first, payloadLength, maskBit: 0) { byte in
            place[count] = byte
            count += 1
        }
        return count
    }

    /// A server's text message in one frame, header and payload in one array.
    package static func encode(text payload: [UInt8], isCompressed: Bool = false) -> [UInt8] {
        encode(opcode: .text, payload: payload, isCompressed: isCompressed)
    }

    /// A server's frame, header and payload in one array.
    package static func encode(
        opcode: WebSocketOpcode, payload: [UInt8], fin: Bool = true, isCompressed: Bool = false
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headerBytesMax + payload.count)
        let first = firstByte(opcode, fin: fin, isCompressed: isCompressed)
        appendHeader(first, payload.count, maskBit: 0, to: &bytes)
        bytes.append(contentsOf: payload)
        return bytes
    }

    /// A client's frame; the key is fresh and unpredictable for every frame (RFC 6455 5.3, 10.3).
    package static func encodeMasked(
        opcode: WebSocketOpcode, payload: [UInt8], maskingKey: UInt32, fin: Bool = true,
        isCompressed: Bool = false
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(14 + payload.count)
        let first = firstByte(opcode, fin: fin, isCompressed: isCompressed)
        appendHeader(first, payload.count, maskBit: 0x80, to: &bytes)
        for shift in [24, 16, 8, 0] as [UInt32] {
            bytes.append(UInt8(truncatingIfNeeded: maskingKey >> shift))
        }
        let start = bytes.count
        bytes.append(contentsOf: payload)
        unmask(&bytes, from: start, key: maskingKey, phase: 0)
        return bytes
    }

    /// The payload of a close frame; the reason is cut to what fits, at a character's end.
    package static func closePayload(code: UInt16?, reason: String = "") -> [UInt8] {
        guard let code else { return [] }
        var payload = [UInt8(code >> 8), UInt8(code & 0xFF)]
        for character in reason {
            let bytes = Array(String(character).utf8)
            guard payload.count + bytes.count <= controlBytesMax else { break }
            payload.append(contentsOf: bytes)
        }
        return payload
    }

    /// A server's close frame.
    package static func encodeClose(code: UInt16?, reason: String = "") -> [UInt8] {
        encode(opcode: .close, payload: closePayload(code: code, reason: reason))
    }

    /// FIN, RSV1 and the opcode (RFC 6455 5.2).
    private static func firstByte(
        _ opcode: WebSocketOpcode, fin: Bool, isCompressed: Bool
    ) -> UInt8 {
        (fin ? 0x80 : 0) | (isCompressed ? 0x40 : 0) | opcode.rawValue
    }

    private static func appendHeader(
        _ first: UInt8, _ length: Int, maskBit: UInt8, to bytes: inout [UInt8]
    ) {
        header(first, length, maskBit: maskBit) { bytes.append($0) }
    }

    /// Puts the header's bytes, one by one.
    private static func header(
        _ first: UInt8, _ length: Int, maskBit: UInt8, put: (UInt8) -> Void
    ) {
        put(first)
        switch length {
        case 0..<126:
            put(maskBit | UInt8(length))
        case 126...0xFFFF:
            put(maskBit | 126)
            put(UInt8(length >> 8))
            put(UInt8(length & 0xFF))
        default:
            put(maskBit | 127)
            for shift in stride(from: 56, through: 0, by: -8) {
                put(UInt8(truncatingIfNeeded: length >> shift))
            }
        }
    }

    /// Masks or unmasks in place; the two are the same (RFC 6455 5.3).
    ///
    /// `phase` says how many bytes of the frame's payload came before `start`.
    static func unmask(_ bytes: inout [UInt8], from start: Int, key: UInt32, phase: Int) {
        guard key != 0 else { return }
        // The key, turned so that its first byte belongs to the byte at `start`.
        let turn = UInt32(phase & 3) * 8
        let turned = turn == 0 ? key : key << turn | key >> (32 - turn)
        let key0 = UInt8(truncatingIfNeeded: turned >> 24)
        let key1 = UInt8(truncatingIfNeeded: turned >> 16)
        let key2 = UInt8(truncatingIfNeeded: turned >> 8)
        let key3 = UInt8(truncatingIfNeeded: turned)
        var index = start
        let end = bytes.count
        while index + 4 <= end {
            bytes[index] ^= key0
            bytes[index + 1] ^= key1
            bytes[index + 2] ^= key2
            bytes[index + 3] ^= key3
            index += 4
        }
        if index < end { bytes[index] ^= key0 }
        if index + 1 < end { bytes[index + 1] ^= key1 }
        if index + 2 < end { bytes[index + 2] ^= key2 }
    }
}
