internal import CZlib

/// Why a message could not be inflated.
package enum InflateError: Error, Equatable, Sendable {
    /// The bytes are not DEFLATE (RFC 1951), refer to what is not there, or end inside a block.
    case invalid
    /// The message is longer than it may be.
    case tooLong
}

/// Inflates messages of permessage-deflate (RFC 7692 7.2.2).
///
/// One that keeps no context takes each message as the first, so one serves all the connections of
/// a thread: about 60 KiB. One that keeps its context belongs to one connection. Confined to who
/// made it.
package final class Inflater {
    /// Messages may refer to those before them.
    package let keepsContext: Bool
    // Unsafe memory: zlib's state points back to its stream, whose place must not change; both
    // belong to this class alone until deinit.
    private let stream: UnsafeMutablePointer<z_stream>
    private let block: UnsafeMutableBufferPointer<UInt8>

    /// `windowBits`, 8 to 15, are those that the deflating side agreed to, or more.
    package init(windowBits: Int = 15, keepsContext: Bool = false) {
        precondition(DeflateWindow.bits.contains(windowBits), "bug: \(windowBits) window bits")
        self.keepsContext = keepsContext
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        block = .allocate(capacity: DeflateWindow.blockBytes)
        let result = sluice_inflate_init(stream, Int32(windowBits))
        precondition(result == Z_OK, "zlib has no memory for an inflater: \(result)")
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        block.deallocate()
    }

    /// Inflates the payload that stands for a whole message, of all its frames.
    ///
    /// It stops one byte over the limit, and never holds more of the message than that: a payload
    /// can stand for a thousand times its length.
    ///
    /// - Throws: `InflateError`; an inflater with context is of no more use then.
    package func inflate(
        _ payload: [UInt8], bytesMax: Int
    ) throws(InflateError) -> [UInt8] {
        if !keepsContext { inflateReset(stream) }
        var message: [UInt8] = []
        try take(payload, bytesMax: bytesMax, into: &message)
        let count = message.count
        try take(DeflateWindow.tail, bytesMax: bytesMax, into: &message)
        // The tail ends an empty block, and is no data of one that is not complete. zlib.h: this
        // bit of data_type says that inflate has stopped between two blocks.
        guard message.count == count, stream.pointee.data_type & 128 != 0 else { throw .invalid }
        return message
    }

    private func take(
        _ bytes: [UInt8], bytesMax: Int, into message: inout [UInt8]
    ) throws(InflateError) {
        try bytes.withUnsafeBufferPointer { input throws(InflateError) in
            // Safe: zlib only reads its input, and this call ends before the borrow does.
            stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.pointee.avail_in = UInt32(input.count)
            repeat {
                let made = try step(room: bytesMax - message.count + 1)
                let needed = message.count + made
                guard needed <= bytesMax else { throw .tooLong }
                // Array's own growth could reserve twice the limit.
                if needed > message.capacity {
                    message.reserveCapacity(min(max(needed, 2 * message.capacity), bytesMax))
                }
                message.append(contentsOf: UnsafeBufferPointer(rebasing: block[..<made]))
            } while stream.pointee.avail_in > 0 || stream.pointee.avail_out == 0
        }
    }

    /// Fills the block, up to `room` bytes, and returns how many there are.
    private func step(room: Int) throws(InflateError) -> Int {
        let room = min(room, block.count)
        stream.pointee.next_out = block.baseAddress
        stream.pointee.avail_out = UInt32(room)
        switch CZlib.inflate(stream, Z_SYNC_FLUSH) {
        // Z_BUF_ERROR: all input is taken, and nothing more comes of it.
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END: beginNextStream()
        default: throw .invalid
        }
        return room - Int(stream.pointee.avail_out)
    }

    /// A block that says that it is the last ends zlib's stream, but neither the message nor what
    /// later ones may refer to (RFC 7692 7.2.3.4).
    private func beginNextStream() {
        guard keepsContext else {
            inflateReset(stream)
            return
        }
        var window = [UInt8](repeating: 0, count: 32 << 10)
        var count: UInt32 = 0
        inflateGetDictionary(stream, &window, &count)
        inflateReset(stream)
        inflateSetDictionary(stream, window, count)
    }
}

@available(*, unavailable) extension Inflater: Sendable {}
