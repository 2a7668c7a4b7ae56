internal import WebSocketCodec

/// Finds the frames of a server in the bytes of a connection, without copying them.
///
/// For a broker that sends each message in one frame and does not deflate, as none asks it to.
enum ServerFrames {
    /// What no such broker sends.
    struct Fault: Error, Equatable {
        let reason: String
    }

    /// Largest payload: an event of the largest limit that a broker can be given, and its envelope.
    private static let payloadBytesMax = 128 << 20

    /// Gives each whole frame's payload to `frame`.
    ///
    /// Unsafe memory on the hot path: each payload is read where the socket's bytes are.
    ///
    /// - Returns: How many bytes belong to whole frames.
    /// - Throws: When it is no frame of such a broker.
    static func scan(
        _ bytes: UnsafeRawBufferPointer,
        frame: (WebSocketOpcode, UnsafeRawBufferPointer) -> Void
    ) throws(Fault) -> Int {
        var start = 0
        while let header = try header(UnsafeRawBufferPointer(rebasing: bytes[start...])) {
            let payload = start + header.byteCount
            let end = payload + header.payloadCount
            guard end <= bytes.count else { break }
            frame(header.opcode, UnsafeRawBufferPointer(rebasing: bytes[payload..<end]))
            start = end
        }
        return start
    }

    /// A frame's header (RFC 6455 5.2).
    private struct Header {
        let opcode: WebSocketOpcode
        let byteCount: Int
        let payloadCount: Int
    }

    /// - Returns: `nil` if its end has not come.
    private static func header(_ bytes: UnsafeRawBufferPointer) throws(Fault) -> Header? {
        guard bytes.count >= 2 else { return nil }
        guard bytes[0] & 0xF0 == 0x80, let opcode = WebSocketOpcode(rawValue: bytes[0] & 0xF),
            opcode != .continuation
        else { throw Fault(reason: "a frame begins with \(bytes[0]), a fragment or deflated") }
        guard bytes[1] & 0x80 == 0 else { throw Fault(reason: "a server's frame is masked") }
        let extended = bytes[1] == 126 ? 2 : bytes[1] == 127 ? 8 : 0
        guard extended > 0 else {
            return Header(opcode: opcode, byteCount: 2, payloadCount: Int(bytes[1]))
        }
        guard bytes.count >= 2 + extended else { return nil }
        let length = bytes[2..<(2 + extended)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= payloadBytesMax else { throw Fault(reason: "a frame of \(length) bytes") }
        return Header(opcode: opcode, byteCount: 2 + extended, payloadCount: Int(length))
    }
}
