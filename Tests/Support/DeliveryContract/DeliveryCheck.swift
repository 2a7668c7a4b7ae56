package import EventModel
package import SessionProtocol

/// Checks that a broker delivers every offset once and in order, or says which it does not
/// (doc:Contract).
package struct DeliveryCheck: Sendable {
    private var cursors: [TopicName: Cursor] = [:]
    /// Delivered events.
    package private(set) var eventCount = 0

    private let isFiltered: Bool

    /// With `isFiltered`, offsets may be left out without a word.
    package init(isFiltered: Bool = false) { self.isFiltered = isFiltered }

    /// A broken promise; `description` says which, with the facts.
    package struct Violation: Error, Hashable, Sendable, CustomStringConvertible {
        package var topic: TopicName
        package var description: String
    }

    /// Takes the broker's next message.
    ///
    /// The first message about a topic that no `subscribed` named sets its position: a pattern's
    /// members are not told before.
    /// - Throws: When the message does not continue what came before. The position follows it all
    ///   the same, so that one fault is told once.
    package mutating func received(_ message: BrokerMessage) throws(Violation) {
        switch message {
        case .subscribed(let message):
            for topic in message.topics { cursors[topic.topic] = topic.cursor }
        case .event(let message):
            eventCount += 1
            try moved(
                message.topic, from: message.event.offset, to: message.cursor, what: "event")
        case .gap(let message):
            try moved(message.topic, from: message.from, to: message.cursor, what: "gap")
            guard message.to >= message.from, message.cursor.offset == message.to else {
                let range = "\(message.from) to \(message.to)"
                throw Violation(
                    topic: message.topic,
                    description: "\(message.topic): gap from \(range) ends at \(message.cursor)")
            }
        case .reset(let message): cursors[message.topic] = message.cursor
        case .cursor(let positions):
            for (topic, cursor) in positions.sorted(by: { $0.key.text < $1.key.text }) {
                let last = cursors.updateValue(cursor, forKey: topic)
                guard let last, last.epoch != cursor.epoch || last.offset > cursor.offset else {
                    continue
                }
                throw Violation(
                    topic: topic, description: "\(topic): cursor \(cursor) after \(last)")
            }
        case .welcome, .authenticated, .live, .lagging, .published, .unsubscribed, .updated,
            .error, .pong, .heartbeat, .closing:
            break
        }
    }

    private mutating func moved(
        _ topic: TopicName, from first: Offset, to cursor: Cursor, what: String
    ) throws(Violation) {
        guard let last = cursors.updateValue(cursor, forKey: topic) else { return }
        // Another incarnation of the same topic goes on silently behind what was not lost
        // (doc:Log).
        let goesOn = last.epoch.topicID != nil && last.epoch.topicID == cursor.epoch.topicID
        guard last.epoch == cursor.epoch || goesOn else {
            throw Violation(
                topic: topic,
                description: "\(topic): \(what) of \(cursor) after \(last), without reset")
        }
        guard first == last.offset + 1 || isFiltered && first > last.offset else {
            let kind = first <= last.offset ? "again or out of order" : "with a hole before it"
            throw Violation(
                topic: topic,
                description: "\(topic): \(what) \(first) after \(last.offset), \(kind)")
        }
    }
}
