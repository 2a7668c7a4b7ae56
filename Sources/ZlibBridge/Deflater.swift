internal import CZlib

/// Deflates messages for permessage-deflate (RFC 7692 7.2.1).
///
/// One that keeps no context begins each message with an empty window, so one serves all the
/// connections of a thread: about 270 KiB at 15 window bits, less at fewer. One that keeps its
/// context belongs to one connection. Confined to who made it.
package final class Deflater {
    /// Messages may refer to those before them, so they must be inflated in the same order, and
    /// every one of them.
    package let keepsContext: Bool
    // Unsafe memory: zlib's state points back to its stream, whose place must not change; both
    // belong to this class alone until deinit.
    private let stream: UnsafeMutablePointer<z_stream>
    private let block: UnsafeMutableBufferPointer<UInt8>

    /// A deflater of `level` 1, the fastest, to 9, the smallest.
    ///
    /// `windowBits`, 8 to 15, say how far back a message may refer, which the inflating side has to
    /// remember.
    package init(level: Int = 1, windowBits: Int = 15, keepsContext: Bool = false) {
        precondition((1...9).contains(level), "bug: deflate level \(level)")
        precondition(DeflateWindow.bits.contains(windowBits), "bug: \(windowBits) window bits")
        self.keepsContext = keepsContext
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        block = .allocate(capacity: DeflateWindow.blockBytes)
        // zlib makes no window of 256 bytes. In one of 512 it refers at most 250 bytes back: the
        // window less the longest match and what it must see ahead (MAX_DIST in its deflate.h).
        let result = sluice_deflate_init(stream, Int32(level), Int32(max(windowBits, 9)))
        precondition(result == Z_OK, "zlib has no memory for a deflater: \(result)")
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
        block.deallocate()
    }

    /// Deflates a whole message to the payload that stands for it.
    ///
    /// The payload ends inside the header of an empty stored block. Payloads of messages without
    /// context can therefore be joined without deflating them again (`DeflatedText`).
    package func deflate(_ message: [UInt8]) -> [UInt8] {
        // zlib has nothing to flush behind an empty message (RFC 7692 7.2.3.6).
        guard !message.isEmpty else { return [0x00] }
        if !keepsContext { deflateReset(stream) }
        var payload: [UInt8] = []
        message.withUnsafeBufferPointer { input in
            // Safe: zlib only reads its input, and this call ends before the borrow does.
            stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.pointee.avail_in = UInt32(input.count)
            repeat {
                stream.pointee.next_out = block.baseAddress
                stream.pointee.avail_out = UInt32(block.count)
                let result = CZlib.deflate(stream, Z_SYNC_FLUSH)
                // Z_BUF_ERROR: the last block was filled exactly, and nothing was left.
                precondition(
                    result == Z_OK || result == Z_BUF_ERROR, "bug: zlib's deflate gave \(result)")
                let made = block.count - Int(stream.pointee.avail_out)
                payload.append(contentsOf: UnsafeBufferPointer(rebasing: block[..<made]))
            } while stream.pointee.avail_out == 0
        }
        precondition(payload.suffix(4) == DeflateWindow.tail[...], "bug: no sync flush at the end")
        payload.removeLast(DeflateWindow.tail.count)
        return payload
    }
}

@available(*, unavailable) extension Deflater: Sendable {}
