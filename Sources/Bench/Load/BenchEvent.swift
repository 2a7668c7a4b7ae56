internal import EventModel
internal import Glibc

/// The data of a benchmark's events: when they were to be sent, a number for filters, and padding;
/// of fixed length, so that a subscriber finds the time without parsing.
struct BenchEvent: Sendable {
    private static let begin = Array(#"{"at":""#.utf8)
    private static let middle = Array(#"","n":"#.utf8)
    private static let padBegin = Array(#","pad":""#.utf8)
    private static let end = Array(#""}"#.utf8)
    private static let digits = 19
    /// The shortest data.
    static let bytesMin =
        begin.count + digits + middle.count + 3 + padBegin.count + end.count

    let topic: TopicName
    /// Bytes of one event's data.
    let byteCount: Int
    private let messageBegin: [UInt8]
    private let dataEnd: [UInt8]
    private let publishEnd: [UInt8]

    /// Events of `bytes` bytes, at least `bytesMin`.
    init(topic: TopicName, bytes: Int) {
        self.topic = topic
        byteCount = max(bytes, Self.bytesMin)
        messageBegin = Array(#"{"type":"event","topic":"\#(topic.text)","offset":"#.utf8)
        let padding = [UInt8](repeating: UInt8(ascii: "x"), count: byteCount - Self.bytesMin)
        dataEnd = Self.padBegin + padding + Self.end
        publishEnd = Array(#","topic":"\#(topic.text)","data":"#.utf8)
    }

    // MARK: Writing

    /// The data of an event that is to be sent at this time, in ns of the monotonic clock.
    ///
    /// `number` says how many came before it in its topic; modulo 100 it is its `n`, from 100 to
    /// 199.
    func data(at time: UInt64, number: Int = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        appendData(at: time, number: number, to: &bytes)
        return bytes
    }

    private func appendData(at time: UInt64, number: Int, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: Self.begin)
        let digits = String(time).utf8
        for _ in digits.count..<Self.digits { bytes.append(UInt8(ascii: "0")) }
        bytes.append(contentsOf: digits)
        bytes.append(contentsOf: Self.middle)
        bytes.append(contentsOf: String(100 + number % 100).utf8)
        bytes.append(contentsOf: dataEnd)
    }

    /// A session's message that publishes it (doc:Session).
    func publish(id: Int, at time: UInt64, number: Int) -> [UInt8] {
        var bytes = Array(#"{"type":"publish","id":"#.utf8)
        bytes.reserveCapacity(byteCount + 128)
        bytes.append(contentsOf: String(id).utf8)
        bytes.append(contentsOf: publishEnd)
        appendData(at: time, number: number, to: &bytes)
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    // MARK: Reading

    /// What a message says, if it is one of these events: its offset, and when it was to be sent.
    ///
    /// Reads the wire as the broker writes it (doc:CommonRules), `data` last. Unsafe memory on the
    /// hot path: the message is read where the socket's bytes are.
    func read(_ message: UnsafeRawBufferPointer) -> (offset: Offset, time: UInt64)? {
        guard message.begins(with: messageBegin),
            let offset = message.number(at: messageBegin.count)
        else { return nil }
        let start = message.count - 1 - byteCount + Self.begin.count
        guard start > messageBegin.count, let time = message.number(at: start) else { return nil }
        return (Offset(offset), time)
    }

    private static let publishedBegin = Array(#"{"type":"published","id":"#.utf8)
    private static let offsetBegin = Array(#"","offset":"#.utf8)

    /// What the broker's answer to a publish of a topic says: which one, and its offset.
    static func readPublished(
        _ message: UnsafeRawBufferPointer
    ) -> (id: Int, offset: Offset)? {
        guard message.begins(with: publishedBegin),
            let id = message.number(at: publishedBegin.count),
            let start = message.end(of: offsetBegin, from: publishedBegin.count),
            let offset = message.number(at: start)
        else { return nil }
        return (Int(id), Offset(offset))
    }
}

extension UnsafeRawBufferPointer {
    /// Unsafe memory on the hot path, as `starts(with:)` compares byte by byte.
    func begins(with text: [UInt8]) -> Bool {
        guard count >= text.count, let baseAddress else { return false }
        return memcmp(baseAddress, text, text.count) == 0
    }
}
