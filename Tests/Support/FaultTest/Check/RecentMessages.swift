internal import EventModel
internal import SessionProtocol

/// The last messages to one subscriber about each topic, to tell what led to a broken promise.
///
/// Pure.
struct RecentMessages: Sendable {
    private struct Message: Sendable {
        let kind: String
        let cursor: Cursor?
        let connection: Int
    }

    private var messages: [TopicName: [Message]] = [:]
    private var connection = 0
    private static let countMax = 12

    mutating func received(_ message: BrokerMessage) {
        switch message {
        case .welcome: connection += 1
        case .subscribed(let message):
            for topic in message.topics { add("subscribed", topic.topic, topic.cursor) }
        case .event(let message): add("event", message.topic, message.cursor)
        case .gap(let gap): add("gap", gap.topic, gap.cursor)
        case .reset(let reset): add("reset", reset.topic, reset.cursor)
        default: break
        }
    }

    private mutating func add(_ kind: String, _ topic: TopicName, _ cursor: Cursor?) {
        let message = Message(kind: kind, cursor: cursor, connection: connection)
        messages[topic, default: []].append(message)
        if messages[topic, default: []].count > Self.countMax { messages[topic]?.removeFirst() }
    }

    /// What was said of a topic, oldest first.
    func words(of topic: TopicName) -> String {
        let words = messages[topic, default: []].map { message in
            "\(message.kind) \(message.cursor.map { "\($0)" } ?? "nowhere")"
                + " (connection \(message.connection))"
        }
        return "\(topic): " + words.joined(separator: ", ")
    }
}
