internal import EventModel

/// The data of a benchmark's events: when they were to be sent, and padding; of fixed length, so
/// that a subscriber finds the time without parsing.
struct BenchEvent {
    private static let begin = Array(#"{"at":""#.utf8)
    private static let middle = Array(#"","pad":""#.utf8)
    private static let end = Array(#""}"#.utf8)
    private static let digits = 19
    /// The shortest data.
    static let bytesMin = begin.count + digits + middle.count + end.count

    let topic: TopicName
    /// Bytes of one event's data.
    let byteCount: Int
    private let messageBegin: [UInt8]

    /// Events of `bytes` bytes, at least `bytesMin`.
    init(topic: TopicName, bytes: Int) {
        self.topic = topic
        byteCount = max(bytes, Self.bytesMin)
        messageBegin = Array(#"{"type":"event","topic":"\#(topic.text)","offset":"#.utf8)
    }

    /// The data of an event that is to be sent at this time, in ns of the monotonic clock.
    func data(at time: UInt64) -> [UInt8] {
        let digits = String(time)
        let zeros = String(repeating: "0", count: Self.digits - digits.utf8.count)
        let padding = [UInt8](repeating: UInt8(ascii: "x"), count: byteCount - Self.bytesMin)
        return Self.begin + (zeros + digits).utf8 + Self.middle + padding + Self.end
    }

    /// What a message says, if it is one of these events: its offset, and when it was to be sent.
    ///
    /// Reads the wire as the broker writes it (doc:CommonRules), `data` last.
    func read(_ message: [UInt8]) -> (offset: Offset, time: UInt64)? {
        guard message.starts(with: messageBegin) else { return nil }
        let offset = Self.number(message[messageBegin.count...])
        let start = message.count - 1 - byteCount + Self.begin.count
        guard start > messageBegin.count else { return nil }
        return (Offset(offset), Self.number(message[start...]))
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        var value: UInt64 = 0
        for byte in bytes {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { break }
            value = value &* 10 &+ UInt64(byte - UInt8(ascii: "0"))
        }
        return value
    }
}
