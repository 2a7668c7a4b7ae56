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
        var text = text
        return text.withUTF8 { bytes in
            var reader = DecimalReader(bytes)
            var parts: [JournalPart] = []
            while true {
                while reader.skip(UInt8(ascii: " ")) {}
                if reader.isAtEnd { return parts }
                guard let part = JournalPart(&reader) else { return nil }
                parts.append(part)
            }
        }
    }

    private init?(_ reader: inout DecimalReader) {
        guard let topicID = reader.integer().flatMap({ Int32(exactly: $0) }),
            reader.skip(UInt8(ascii: ":")), let first = reader.integer(),
            reader.skip(UInt8(ascii: "-")), let last = reader.integer()
        else { return nil }
        self.init(topicID: topicID, first: first, last: last)
        if reader.skip(UInt8(ascii: "@")) {
            guard let microseconds = reader.integer() else { return nil }
            time = Timestamp(microseconds: microseconds)
        }
        guard reader.isAtEnd || reader.isAt(UInt8(ascii: " ")) else { return nil }
    }
}

/// Reads decimal numbers and what is between them.
private struct DecimalReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var place = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    var isAtEnd: Bool { place == bytes.count }

    func isAt(_ byte: UInt8) -> Bool { place < bytes.count && bytes[place] == byte }

    mutating func skip(_ byte: UInt8) -> Bool {
        guard isAt(byte) else { return false }
        place += 1
        return true
    }

    /// `nil` without a digit, or when it is too large.
    mutating func integer() -> Int64? {
        let start = place
        var value: Int64 = 0
        while place < bytes.count, bytes[place] >= 0x30, bytes[place] <= 0x39 {
            let (tens, isOver) = value.multipliedReportingOverflow(by: 10)
            let (sum, isOverToo) = tens.addingReportingOverflow(Int64(bytes[place] & 0xf))
            guard !isOver, !isOverToo else { return nil }
            value = sum
            place += 1
        }
        return place > start ? value : nil
    }
}
