package import EventModel

/// Where the client of a stream stands in all its topics, in one short text: the `id` of
/// server-sent events over several topics, which is sent back as `Last-Event-ID` or `from`
/// (doc:HTTP).
///
/// It is a start for the topics that it does not name, mostly a mark, and the cursors of those that
/// moved last, as many as fit. So with more topics than fit some events are repeated, and none is
/// missed.
///
/// Opaque to clients: `at:1~<start>`, and then for each topic, newest first, `~<name>~<place>`. A
/// name is how many bytes it begins with of the one before, in base 36, and the rest of it. A place
/// is `<incarnation>.<id>.<offset>`, the offset in base 36, without the incarnation where it is that
/// of the place before, or of the mark. All characters may stand in a URL as they are.
package struct StreamPosition: Hashable, Sendable {
    /// Where topics begin that it has no cursor of.
    package let start: StartPosition
    /// The one that moved last is last.
    private var places: [Place]

    private struct Place: Hashable {
        let topic: TopicName
        var cursor: Cursor
    }

    /// Bytes of the text.
    package static let bytesMax = 4096
    /// What every text begins with; the number is the version of what follows.
    private static let begin = "at:1"
    private static let word = "at:"
    /// More do not fit, however short they are.
    private static let placesMax = bytesMax / "~0a~.0".utf8.count

    /// A position that has moved nowhere yet.
    ///
    /// Topics that `earlier` has are newer than others, in its order.
    package init(
        start: StartPosition, cursors: [TopicName: Cursor], behind earlier: StreamPosition? = nil
    ) {
        self.start = start
        var rest = cursors
        let known = (earlier?.places ?? []).compactMap { place in
            rest.removeValue(forKey: place.topic).map { Place(topic: place.topic, cursor: $0) }
        }
        let others = rest.map { Place(topic: $0, cursor: $1) }
            .sorted { $0.topic.text > $1.topic.text }
        places = Array((others + known).suffix(Self.placesMax))
    }

    /// By topic.
    package var cursors: [TopicName: Cursor] {
        Dictionary(uniqueKeysWithValues: places.map { ($0.topic, $0.cursor) })
    }

    /// The client has consumed the topic up to `cursor`; `nil`: it has forgotten it.
    package mutating func move(_ topic: TopicName, to cursor: Cursor?) {
        if places.last?.topic == topic, let cursor {
            places[places.count - 1].cursor = cursor
            return
        }
        if let index = places.lastIndex(where: { $0.topic == topic }) {
            places.remove(at: index)
        } else if cursor != nil, places.count == Self.placesMax {
            places.removeFirst()
        }
        if let cursor { places.append(Place(topic: topic, cursor: cursor)) }
    }

    // MARK: Text

    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The text's bytes, in ASCII, at most `bytesMax`.
    package var bytes: [UInt8] {
        var writer = StreamPositionWriter("\(Self.begin)~\(start.text)", behind: start)
        for place in places.reversed() {
            guard writer.write(place.topic, place.cursor, bytesMax: Self.bytesMax) else { break }
        }
        return writer.bytes
    }

    /// Whether a start is meant to be such a text.
    static func isMeant(by text: String) -> Bool { text.hasPrefix(word) }

    /// Reads what a broker wrote.
    ///
    /// - Throws: `invalid_start`, with the name of the request's field, for everything else.
    package init(_ text: String, field: String) throws(BrokerError) {
        guard text.utf8.count <= Self.bytesMax, let position = Self.read(text),
            // No other way to write the same, and no topic twice.
            position.text == text
        else {
            throw BrokerError(
                .invalidStart, "\(quoted(text)) is not a position that a broker told.",
                remedy: "Send the 'id' of the last server-sent event exactly as it came.",
                at: InputPlace(field: field))
        }
        self = position
    }

    private static func read(_ text: String) -> StreamPosition? {
        let parts = text.split(separator: "~", omittingEmptySubsequences: false)
        guard parts.count >= 2, parts.count.isMultiple(of: 2), parts[0] == begin,
            let start = try? StartPosition(parts[1]), start.namesOnePlace
        else { return nil }
        var position = StreamPosition(start: start, cursors: [:])
        var reader = StreamPositionReader(behind: start)
        var known: Set<TopicName> = []
        for index in stride(from: 2, to: parts.count, by: 2) {
            guard let (topic, cursor) = reader.read(parts[index], parts[index + 1]),
                known.insert(topic).inserted
            else { return nil }
            position.places.append(Place(topic: topic, cursor: cursor))
        }
        position.places.reverse()
        return position
    }
}

extension StartPosition {
    /// Whether it says the same place whenever it is said.
    fileprivate var namesOnePlace: Bool {
        ofUnseenTopics(began: Timestamp(microseconds: 0)) == self
    }

    fileprivate var incarnation: String {
        if case .mark(let mark) = self { mark.mark.incarnation } else { "" }
    }
}

/// Writes places, each as what it has new beside the one before.
private struct StreamPositionWriter {
    private(set) var bytes: [UInt8]
    private var name = ""
    private var incarnation: String

    init(_ begin: String, behind start: StartPosition) {
        bytes = Array(begin.utf8)
        incarnation = start.incarnation
    }

    /// - Returns: `false` if it does not fit; then nothing more may be written.
    mutating func write(_ topic: TopicName, _ cursor: Cursor, bytesMax: Int) -> Bool {
        let begin = bytes.count
        let shared = sharedCount(with: topic.text)
        bytes.append(UInt8(ascii: "~"))
        bytes += String(shared, radix: 36).utf8
        bytes += topic.text.utf8.dropFirst(shared)
        bytes.append(UInt8(ascii: "~"))
        let epoch = cursor.epoch
        if epoch.incarnation != incarnation {
            bytes += epoch.incarnation.utf8
            bytes.append(UInt8(ascii: "."))
        }
        bytes += epoch.text.utf8.dropFirst(epoch.incarnation.utf8.count)
        bytes.append(UInt8(ascii: "."))
        bytes += String(cursor.offset, radix: 36).utf8
        guard bytes.count <= bytesMax else {
            bytes.removeSubrange(begin...)
            return false
        }
        name = topic.text
        incarnation = epoch.incarnation
        return true
    }

    /// Bytes with which both this name and the one before begin, as far as one digit says.
    private func sharedCount(with other: String) -> Int {
        var (mine, its) = (name.utf8.makeIterator(), other.utf8.makeIterator())
        var count = 0
        while count < StreamPositionReader.sharedMax, let byte = mine.next(), byte == its.next() {
            count += 1
        }
        return count
    }
}

/// Reads places as they were written.
private struct StreamPositionReader {
    private var name = ""
    private var incarnation: String
    /// What one digit says.
    static let sharedMax = 35

    init(behind start: StartPosition) { incarnation = start.incarnation }

    /// `nil` if the broker writes no place so.
    mutating func read(_ name: Substring, _ place: Substring) -> (TopicName, Cursor)? {
        guard let shared = name.first.flatMap({ Int(String($0), radix: 36) }),
            shared <= self.name.utf8.count,
            let topic = try? TopicName("\(self.name.prefix(shared))\(name.dropFirst())")
        else { return nil }
        let parts = place.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3 else { return nil }
        let incarnation = parts.count == 3 ? String(parts[0]) : self.incarnation
        guard let epoch = Epoch(incarnation + parts[parts.count - 2]),
            let offset = Offset(parts[parts.count - 1], radix: 36),
            (0...Limits.integerMax).contains(offset)
        else { return nil }
        self.name = topic.text
        self.incarnation = incarnation
        return (topic, Cursor(epoch: epoch, offset: offset))
    }
}
