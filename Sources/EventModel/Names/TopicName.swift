/// The name of a topic: 1 to 200 bytes, segments of `[A-Za-z0-9_-]+` joined by `.` (doc:Words).
package struct TopicName: Hashable, Sendable, CustomStringConvertible {
    /// The name as text, like `orders.eu.created`.
    package let text: String

    package var description: String { text }

    /// Topics below `sluice.` belong to the broker; only its own parts publish to them
    /// (doc:CommonRules).
    package var isReserved: Bool { text.hasPrefix("sluice.") }

    /// Checks the grammar.
    ///
    /// - Throws: `invalid_topic` with the offending part and a remedy.
    package init(_ text: String) throws(BrokerError) {
        if !Self.isName(text) {
            try Self.check(text, code: .invalidTopic) { segment in
                segment.utf8.allSatisfy(Self.isSegmentByte)
            }
        }
        self.text = text
    }

    /// The grammar in one pass; `check` says what is wrong.
    private static func isName(_ text: String) -> Bool {
        let bytes = text.utf8Span.span
        guard bytes.count <= Limits.topicBytesMax else { return false }
        var isInSegment = false
        for index in bytes.indices {
            let byte = bytes[index]
            if isSegmentByte(byte) {
                isInSegment = true
            } else {
                guard byte == UInt8(ascii: "."), isInSegment else { return false }
                isInSegment = false
            }
        }
        return isInSegment
    }

    /// Checks what names and patterns share: length, segments, bytes.
    static func check(
        _ text: String, code: ErrorCode, segmentIsValid: (Substring) -> Bool
    ) throws(BrokerError) {
        let size = text.utf8.count
        guard size >= 1, size <= Limits.topicBytesMax else {
            throw BrokerError(code, "A topic has 1 to \(Limits.topicBytesMax) bytes, not \(size).")
        }
        for segment in text.split(separator: ".", omittingEmptySubsequences: false) {
            guard !segment.isEmpty else {
                throw BrokerError(
                    code, "\(quoted(text)) has an empty segment.",
                    remedy: "Remove the leading, trailing or doubled dot. "
                        + "In a shell, quote patterns: '\(text.hasSuffix(".") ? text + ">" : text)'."
                )
            }
            guard segmentIsValid(segment) else {
                throw BrokerError(
                    code, "Segment \(quoted(segment)) of \(quoted(text)) is not valid.")
            }
        }
    }

    static func isSegmentByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

extension BrokerError {
    /// `forbidden`: the topic is the broker's own (doc:CommonRules).
    package static func reserved(_ topic: TopicName) -> BrokerError {
        BrokerError(
            .forbidden, "\(quoted(topic.text)) is reserved for the broker.",
            remedy: "Use a name that does not begin with 'sluice.'.")
    }
}

/// Text of a user in an error message: in quotes, shortened, without control characters.
package func quoted(_ text: some StringProtocol) -> String {
    var shown = ""
    for scalar in text.unicodeScalars.prefix(80) {
        shown.unicodeScalars.append(
            scalar.value < 0x20 || scalar.value == 0x7f ? "\u{fffd}" : scalar)
    }
    return "'\(shown)\(text.unicodeScalars.count > 80 ? "…" : "")'"
}
