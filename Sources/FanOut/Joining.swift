/// How bare messages become texts for a connection that takes several in one (doc:Session,
/// Batches).
///
/// A text is a header and a list of messages, or a message alone.
package struct Joining: Sendable {
    /// The most bytes of a header.
    let headerBytesMax: Int
    /// Writes the header of a text of so many bytes, and returns its length.
    let writeHeader: @Sendable (Int, UnsafeMutableRawBufferPointer) -> Int
    /// Before several messages, between two, and behind them.
    let list: (opening: [UInt8], separator: [UInt8], closing: [UInt8])

    package init(
        headerBytesMax: Int, list: (opening: [UInt8], separator: [UInt8], closing: [UInt8]),
        writeHeader: @escaping @Sendable (Int, UnsafeMutableRawBufferPointer) -> Int
    ) {
        self.headerBytesMax = headerBytesMax
        self.list = list
        self.writeHeader = writeHeader
    }

    /// Bytes of a text of so many messages, without its header.
    func textBytes(messages: Int, bytes: Int) -> Int {
        guard messages > 1 else { return bytes }
        let between = (messages - 1) * list.separator.count
        return list.opening.count + bytes + between + list.closing.count
    }
}
