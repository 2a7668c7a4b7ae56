/// An event's position in its topic: 1, 2, 3 … dense, in commit order.
///
/// 0 stands before the first. At most 2^53 - 1 on the wire (doc:CommonRules).
package typealias Offset = Int64

/// Identifies one life of a topic's offsets: the log's incarnation and the topic's own id.
///
/// On the wire `[0-9a-z]{1,16}`: the incarnation's ten characters, then the id in base 36
/// (doc:Log).
package struct Epoch: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    /// The number of characters that name the incarnation.
    package static let incarnationLength = 10

    /// The epoch of a topic in an incarnation.
    package init(incarnation: String, topicID: Int32) {
        text = incarnation + String(topicID, radix: 36)
    }

    /// An epoch as a client sent it; `nil` if it is not `[0-9a-z]{1,16}`.
    package init?(_ text: some StringProtocol) {
        let bytes = text.utf8
        guard (1...16).contains(bytes.count) else { return nil }
        let isValid = bytes.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
        }
        guard isValid else { return nil }
        self.text = String(text)
    }

    /// The incarnation, as far as the text can hold one.
    package var incarnation: String { String(text.prefix(Self.incarnationLength)) }

    /// The topic's id within the incarnation; `nil` if this epoch never came from this broker.
    package var topicID: Int32? {
        text.utf8.count > Self.incarnationLength
            ? Int32(text.dropFirst(Self.incarnationLength), radix: 36) : nil
    }

    package var description: String { text }
}

/// Where a subscriber stands in a topic: epoch and offset of the last event it consumed.
package struct Cursor: Hashable, Sendable, CustomStringConvertible {
    package let epoch: Epoch
    package let offset: Offset

    package init(epoch: Epoch, offset: Offset) {
        self.epoch = epoch
        self.offset = offset
    }

    /// Parses `"<epoch>-<offset>"`; `nil` if it is not of that form.
    package init?(_ text: some StringProtocol) {
        guard let dash = text.lastIndex(of: "-"), let epoch = Epoch(text[..<dash]) else {
            return nil
        }
        let digits = text[text.index(after: dash)...]
        guard let offset = Self.offset(digits) else { return nil }
        self.init(epoch: epoch, offset: offset)
    }

    package var description: String { epoch.text + "-" + String(offset) }

    /// Decimal digits up to 2^53 - 1, without sign.
    package static func offset(_ digits: some StringProtocol) -> Offset? {
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Offset(digits),
            value <= Limits.integerMax
        else { return nil }
        return value
    }
}
