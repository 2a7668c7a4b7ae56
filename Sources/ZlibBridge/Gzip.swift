internal import CZlib

/// gzip (RFC 1952), for content that is compressed once and kept.
package enum Gzip {
    /// Compresses to one member, as small as zlib can.
    package static func compress(_ content: [UInt8]) -> [UInt8] {
        var stream = z_stream()
        // Unsafe memory: zlib's state points back to `stream`, whose place does not change while
        // this borrow lasts; nothing of zlib outlives it.
        return withUnsafeMutablePointer(to: &stream) { stream in
            let begun = sluice_gzip_init(stream)
            precondition(begun == Z_OK, "zlib has no memory for gzip: \(begun)")
            defer { deflateEnd(stream) }
            let bytesMax = Int(deflateBound(stream, UInt(content.count)))
            return content.withUnsafeBufferPointer { input in
                [UInt8](unsafeUninitializedCapacity: bytesMax) { output, count in
                    // Safe: zlib only reads its input, and this call ends before the borrow does.
                    stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                    stream.pointee.avail_in = UInt32(input.count)
                    stream.pointee.next_out = output.baseAddress
                    stream.pointee.avail_out = UInt32(output.count)
                    let ended = CZlib.deflate(stream, Z_FINISH)
                    precondition(ended == Z_STREAM_END, "bug: zlib's deflate gave \(ended)")
                    count = Int(stream.pointee.total_out)
                }
            }
        }
    }
}
