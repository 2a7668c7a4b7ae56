internal import EventModel
internal import FanOut

/// Frames of the tests: one line of text each, its words parted by blanks, filled up to a size.
enum TestFrame {
    static let encoding = Encoding(
        event: { topic, _, event in
            line("\(topic) \(event.offset)", bytes: event.content.data.count)
        },
        notice: { notice($0) })

    /// An event whose frame has so many bytes.
    static func event(_ offset: Offset, bytes: Int = 100, key: String? = nil) -> Event {
        Event(
            offset: offset, time: Timestamp(microseconds: 0),
            content: NewEvent(
                data: [UInt8](repeating: UInt8(ascii: "."), count: bytes), key: key))
    }

    static func notice(_ notice: Notice) -> [UInt8] {
        let text =
            switch notice {
            case .lagging(let id, let behind): "lagging \(name(id)) \(behind)"
            case .live(let id): "live \(name(id))"
            case .gap(let topic, let epoch, let from, let to, let reason):
                "gap \(topic) \(from)-\(to) \(reason)" + (epoch == .one ? "" : " \(epoch)")
            case .reset(let topic, let cursor, let reason):
                "reset \(topic) \(cursor.map { "\($0)" } ?? "-") \(reason)"
            case .cursors(let cursors):
                "cursors" + cursors.map { " \($0) \($1.offset)" }.sorted().joined()
            }
        return control(text)
    }

    static func control(_ text: String, bytes: Int = 0) -> [UInt8] {
        line(text, bytes: bytes)
    }

    private static func name(_ id: Int64?) -> String { id.map { "\($0)" } ?? "-" }

    /// The text, a tab and filling up to `bytes`, and the end of the line.
    static func line(_ text: String, bytes: Int) -> [UInt8] {
        var frame = Array(text.utf8)
        if frame.count + 2 <= bytes {
            frame.append(UInt8(ascii: "\t"))
            frame += [UInt8](repeating: UInt8(ascii: "."), count: bytes - 1 - frame.count)
        }
        frame.append(UInt8(ascii: "\n"))
        return frame
    }
}

/// Bytes of a socket back to lines.
struct LineReader {
    private var line: [UInt8] = []
    private var isFilling = false

    /// Bytes of a message that has not come to its end.
    var isInsideOfMessage: Bool { !line.isEmpty }

    mutating func read(_ bytes: UnsafeRawBufferPointer, into lines: inout [String]) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            append(rest[..<end])
            lines.append(String(decoding: line, as: UTF8.self))
            line.removeAll(keepingCapacity: true)
            isFilling = false
            rest = rest[(end + 1)...]
        }
        append(rest)
    }

    private mutating func append(_ part: Slice<UnsafeRawBufferPointer>) {
        guard !isFilling else { return }
        if let tab = part.firstIndex(of: UInt8(ascii: "\t")) {
            isFilling = true
            line.append(contentsOf: part[..<tab])
        } else {
            line.append(contentsOf: part)
        }
    }
}
