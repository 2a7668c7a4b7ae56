package import EventModel

/// What one append gave one topic, as the journal's `parts` say it: `topic:first-last`, or
/// `topic:first-last@microseconds` where the topic's time was ahead of the clock.
package struct JournalPart: Hashable, Sendable {
    package var topicID: Int32
    package var first: Offset
    package var last: Offset
    /// The events' time, if it is not the batch's.
    package var time: Timestamp?

    package init(topicID: Int32, first: Offset, last: Offset, time: Timestamp? = nil) {
        self.topicID = topicID
        self.first = first
        self.last = last
        self.time = time
    }

    /// Parses the `parts` of a row; `nil` if they are not of the form that `sluice.append` writes.
    package static func parse(_ text: String) -> [JournalPart]? {
        var parts: [JournalPart] = []
        for word in text.split(separator: " ") {
            guard let part = JournalPart(word) else { return nil }
            parts.append(part)
        }
        return parts
    }

    private init?(_ word: Substring) {
        guard let colon = word.firstIndex(of: ":"), let topicID = Int32(word[..<colon]) else {
            return nil
        }
        var span = word[word.index(after: colon)...]
        var time: Timestamp?
        if let at = span.firstIndex(of: "@") {
            guard let microseconds = Int64(span[span.index(after: at)...]) else { return nil }
            time = Timestamp(microseconds: microseconds)
            span = span[..<at]
        }
        guard let dash = span.firstIndex(of: "-"), let first = Offset(span[..<dash]),
            let last = Offset(span[span.index(after: dash)...])
        else { return nil }
        self.init(topicID: topicID, first: first, last: last, time: time)
    }
}
