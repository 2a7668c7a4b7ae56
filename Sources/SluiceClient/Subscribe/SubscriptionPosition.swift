internal import EventModel
internal import SessionProtocol

/// Where a subscriber stands in all its topics, so that another subscription, one day and in
/// another process, goes on exactly there.
///
/// Keep it by the messages of the items that were consumed, or keep those.
public struct SubscriptionPosition: Equatable, Sendable {
    /// Where topics begin that were never seen, as the broker said it; `nil` before that.
    public var start: String?
    /// The last cursor of each topic.
    public var cursors: [String: String]

    /// Makes a position; without arguments one that has seen nothing.
    public init(start: String? = nil, cursors: [String: String] = [:]) {
        self.start = start
        self.cursors = cursors
    }

    /// Moves on behind a message of the broker's.
    ///
    /// - Parameter message: `ReceivedEvent.message`, or that of a notice.
    /// - Returns: Whether it is a message; then the position is behind it. One of a type that this
    ///   version does not know moves nothing.
    @discardableResult
    public mutating func received(_ message: [UInt8]) -> Bool {
        let known: BrokerMessage?
        do { known = try BrokerMessage.decode(message) } catch { return false }
        guard let known else { return true }
        switch known {
        case .subscribed(let message):
            start = message.resumeFrom ?? start
            for topic in message.topics {
                if let cursor = topic.cursor { cursors[topic.topic.text] = cursor.description }
            }
        case .event(let message): cursors[message.topic.text] = message.cursor.description
        case .gap(let message): cursors[message.topic.text] = message.cursor.description
        case .reset(let message): cursors[message.topic.text] = message.cursor?.description
        case .cursor(let positions):
            for (topic, cursor) in positions { cursors[topic.text] = cursor.description }
        case .welcome, .authenticated, .live, .lagging, .published, .unsubscribed, .updated,
            .error, .pong, .heartbeat, .closing:
            break
        }
        return true
    }

    /// - Throws: `invalid_request` for what is no topic or no cursor.
    func checkedCursors() throws(SluiceError) -> [TopicName: Cursor] {
        var checked: [TopicName: Cursor] = [:]
        for (name, text) in cursors {
            guard let cursor = Cursor(text) else {
                throw SluiceError(
                    .invalid, code: "invalid_request", "\(quoted(text)) is no cursor of \(name).",
                    remedy: "Give cursors as the broker said them.")
            }
            do { checked[try TopicName(name)] = cursor } catch { throw SluiceError(error) }
        }
        return checked
    }
}
