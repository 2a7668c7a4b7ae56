/// Sizes of DEFLATE's window and of what zlib is given to fill.
package enum DeflateWindow {
    /// The window is two to the power of these (RFC 7692 7.1.2): 256 bytes to 32 KiB.
    package static let bits = 8...15

    /// Bytes that zlib makes in one go; one such block belongs to each `Deflater` and `Inflater`.
    static let blockBytes = 16 << 10

    /// What a message that was deflated with a sync flush ends with, and does not send
    /// (RFC 7692 7.2.1): length and complement of an empty stored block.
    static let tail: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]
}
