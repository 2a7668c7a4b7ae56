internal import EventModel
internal import FanOut

/// An epoch with its two parts as numbers.
struct SimulatedEpoch: Hashable {
    let incarnation: Int
    let topicID: Int32

    init(incarnation: Int, topicID: Int32) {
        self.incarnation = incarnation
        self.topicID = topicID
    }

    init?(_ epoch: Epoch) {
        guard let number = Int(epoch.incarnation), let topicID = epoch.topicID else { return nil }
        self.init(incarnation: number - Self.base, topicID: topicID)
    }

    var epoch: Epoch { Epoch(incarnation: "\(Self.base + incarnation)", topicID: topicID) }

    /// Ten digits, like an incarnation's name.
    private static let base = 1_000_000_000
}

/// What goes through a simulated socket, as a line of words.
enum SimulatedMessage {
    case event(topic: TopicName, offset: Offset, epoch: Epoch, serial: Int)
    case notice(Notice)
    case subscribed(Int64, [TopicName: Cursor])
    case unsubscribed(Int64)

    /// A line of at least `bytes`.
    func encoded(bytes: Int = 0) -> [UInt8] { TestFrame.line(text, bytes: bytes) }

    /// An event's data is its serial and as many points as its frame is to have bytes.
    static let encoding = Encoding(
        event: { topic, epoch, event in
            let data = event.content.data
            let serial = Int(String(decoding: data.prefix { $0 != point }, as: UTF8.self)) ?? -1
            return Self.event(topic: topic, offset: event.offset, epoch: epoch, serial: serial)
                .encoded(bytes: data.count { $0 == point })
        },
        notice: { Self.notice($0).encoded() })

    static func event(_ offset: Offset, serial: Int, bytes: Int) -> Event {
        Event(
            offset: offset, time: Timestamp(microseconds: 0),
            content: NewEvent(
                data: Array("\(serial)".utf8) + [UInt8](repeating: point, count: bytes),
                key: key(ofSerial: serial)))
    }

    /// Events of three keys, and some without one.
    static func key(ofSerial serial: Int) -> String? {
        serial.isMultiple(of: 4) ? nil : "\(serial % 4)"
    }

    private static let point = UInt8(ascii: ".")

    private var text: String {
        switch self {
        case .event(let topic, let offset, let epoch, let serial):
            "event \(topic) \(offset) \(epoch) \(serial)"
        case .notice(.lagging(let id, let behind)): "lagging \(id ?? 0) \(behind)"
        case .notice(.live(let id)): "live \(id ?? 0)"
        case .notice(.gap(let topic, let epoch, let from, let to, let reason)):
            "gap \(topic) \(epoch) \(from) \(to) \(reason)"
        case .notice(.reset(let topic, let cursor, let reason)):
            "reset \(topic) \(cursor.map { "\($0)" } ?? "null") \(reason)"
        case .notice(.cursors(let cursors)):
            "cursors" + cursors.map { " \($0)=\($1)" }.sorted().joined()
        case .subscribed(let id, let cursors):
            "subscribed \(id)"
                + cursors.map { " \($0)=\($1)" }.sorted().joined()
        case .unsubscribed(let id): "unsubscribed \(id)"
        }
    }

    init?(_ line: String) {
        let words = line.split(separator: " ").map(String.init)
        func topic() -> TopicName? { try? TopicName(words[1]) }
        switch words.first {
        case "event":
            guard let topic = topic(), let offset = Offset(words[2]), let epoch = Epoch(words[3]),
                let serial = Int(words[4])
            else { return nil }
            self = .event(topic: topic, offset: offset, epoch: epoch, serial: serial)
        case "lagging":
            guard let id = Int64(words[1]), let behind = Int64(words[2]) else { return nil }
            self = .notice(.lagging(subscription: id, behind: behind))
        case "live": self = .notice(.live(subscription: Int64(words[1])))
        case "gap":
            guard let topic = topic(), let epoch = Epoch(words[2]), let from = Offset(words[3]),
                let to = Offset(words[4]), let reason = GapReason(rawValue: words[5])
            else { return nil }
            self = .notice(.gap(topic: topic, epoch: epoch, from: from, to: to, reason: reason))
        case "reset":
            guard let topic = topic(), let reason = ResetReason(rawValue: words[3]) else {
                return nil
            }
            self = .notice(.reset(topic: topic, cursor: Cursor(words[2]), reason: reason))
        case "cursors":
            guard let cursors = Self.cursors(words[1...]) else { return nil }
            self = .notice(.cursors(cursors))
        case "subscribed":
            guard let id = Int64(words[1]), let cursors = Self.cursors(words[2...]) else {
                return nil
            }
            self = .subscribed(id, cursors)
        case "unsubscribed":
            guard let id = Int64(words[1]) else { return nil }
            self = .unsubscribed(id)
        default: return nil
        }
    }

    private static func cursors(_ words: ArraySlice<String>) -> [TopicName: Cursor]? {
        var cursors: [TopicName: Cursor] = [:]
        for word in words {
            let parts = word.split(separator: "=")
            guard let topic = try? TopicName(String(parts[0])), let cursor = Cursor(parts[1])
            else { return nil }
            cursors[topic] = cursor
        }
        return cursors
    }
}
