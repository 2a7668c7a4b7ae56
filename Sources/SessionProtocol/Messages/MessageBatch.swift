package import EventModel

/// Several messages in one text: with `?batch=1` a text may be an array of them (doc:Session).
package enum MessageBatch {
    /// Messages of one array; more of them would hold up an event loop.
    package static let messagesMax = 1000

    /// Where the messages of an array are, or `nil` for a text that is no array.
    ///
    /// An array is an envelope and no level of its own, so each message may be as deep as alone.
    ///
    /// - Throws: `invalid_json` or `invalid_utf8` for what is not an array of objects,
    ///   `invalid_request` for too many of them. Then nothing of it has been done.
    package static func ranges(
        in bytes: [UInt8], messagesMax: Int = messagesMax
    ) throws(BrokerError) -> [Range<Int>]? {
        var scanner = JSONScanner(bytes)
        scanner.skipSpace()
        guard scanner.take(UInt8(ascii: "[")) else { return nil }
        var ranges: [Range<Int>] = []
        scanner.skipSpace()
        var isOver = scanner.take(UInt8(ascii: "]"))
        while !isOver {
            scanner.skipSpace()
            let start = scanner.position
            try scanner.object { (scanner, _) throws(BrokerError) in _ = try scanner.value() }
            guard ranges.count < messagesMax else {
                throw BrokerError(
                    .invalidRequest, "The array has over \(messagesMax) messages.",
                    remedy: "Send them in several arrays.", at: InputPlace(byte: start))
            }
            ranges.append(start..<scanner.position)
            scanner.skipSpace()
            isOver = scanner.take(UInt8(ascii: "]"))
            guard isOver || scanner.take(UInt8(ascii: ",")) else {
                throw scanner.wrong("expected ',' or ']'")
            }
        }
        scanner.skipSpace()
        guard scanner.position == bytes.count else {
            throw scanner.wrong("expected the end of the text")
        }
        return ranges
    }

    /// The messages of a broker's text.
    ///
    /// - Returns: The text itself if it is no array of objects; what it is, its reader finds.
    package static func messages(of text: [UInt8]) -> [[UInt8]] {
        guard text.first == UInt8(ascii: "["),
            let ranges = (try? ranges(in: text, messagesMax: .max)) ?? nil
        else { return [text] }
        return ranges.map { Array(text[$0]) }
    }

    /// The text that says these messages: an array, or the message itself if it is alone.
    package static func text(of messages: [[UInt8]]) -> [UInt8] {
        if messages.count == 1 { return messages[0] }
        var text: [UInt8] = []
        text.reserveCapacity(messages.reduce(2) { $0 + $1.count + 1 })
        for message in messages {
            text.append(text.isEmpty ? UInt8(ascii: "[") : UInt8(ascii: ","))
            text += message
        }
        text.append(UInt8(ascii: "]"))
        return text
    }
}
