package import EventModel
package import SessionProtocol

/// What one subscriber was told, over all its connections: every offset once and in order, or a
/// gap, or a reset (doc:Contract).
///
/// Pure.
package struct SubscriberCheck: Sendable {
    package let name: String
    package let patterns: [TopicPattern]
    /// Whether it began at the oldest events; otherwise behind the newest ones.
    package let isFromEarliest: Bool
    /// Where it stands; a topic that was deleted has none.
    package private(set) var places: [TopicName: Place] = [:]
    private var recent = RecentMessages()

    package init(name: String, patterns: [TopicPattern], isFromEarliest: Bool) {
        self.name = name
        self.patterns = patterns
        self.isFromEarliest = isFromEarliest
    }

    /// Takes the broker's next message to this subscriber.
    package mutating func received(_ message: BrokerMessage, _ ledger: inout Ledger) {
        let violations = ledger.violations.count
        recent.received(message)
        check(message, &ledger)
        guard ledger.violations.count > violations, let topic = message.topic else { return }
        ledger.explain("\(name) got of \(recent.words(of: topic))")
    }

    private mutating func check(_ message: BrokerMessage, _ ledger: inout Ledger) {
        switch message {
        case .subscribed(let message):
            for topic in message.topics {
                if let cursor = topic.cursor { stands(topic.topic, cursor, &ledger) }
            }
        case .event(let message):
            guard move(message.topic, message.event.offset, message.cursor, "event", &ledger),
                let place = Place(message.cursor, of: message.topic.text)
            else { return }
            guard let tag = EventTag(data: message.event.content.data) else {
                return ledger.violated("\(name) got strange data at \(message.cursor)")
            }
            ledger.delivered(tag, at: place, to: name)
        case .gap(let gap):
            if gap.to < gap.from || gap.cursor.offset != gap.to {
                ledger.violated("\(name): gap \(gap.from) to \(gap.to) ends at \(gap.cursor)")
            }
            if move(gap.topic, gap.from, gap.cursor, "gap", &ledger) {
                ledger.toldGap(gap, to: name)
            }
        case .reset(let reset): wasReset(reset, &ledger)
        case .cursor, .welcome, .authenticated, .live, .lagging, .published, .unsubscribed, .error,
            .updated, .pong, .heartbeat, .closing:
            break
        }
    }

    /// The broker says where it goes on.
    private mutating func stands(_ topic: TopicName, _ cursor: Cursor, _ ledger: inout Ledger) {
        guard let place = Place(cursor, of: topic.text) else {
            return ledger.violated("\(name) is to go on at \(cursor)")
        }
        guard let known = places[topic] else {
            places[topic] = place
            if isFromEarliest { ledger.began(topic, behind: cursor, name) }
            return
        }
        if place != known {
            ledger.violated("\(name) stood at \(known) of \(topic), and goes on at \(place)")
            places[topic] = place
        }
    }

    /// - Returns: Whether the topic is one that it asked for.
    private mutating func move(
        _ topic: TopicName, _ first: Offset, _ cursor: Cursor, _ what: String,
        _ ledger: inout Ledger
    ) -> Bool {
        guard patterns.contains(where: { $0.matches(topic) }),
            let place = Place(cursor, of: topic.text)
        else {
            ledger.violated(
                "\(name) got the \(what) \(cursor) of \(topic), which it did not ask for")
            return false
        }
        guard let known = places.updateValue(place, forKey: topic) else {
            ledger.began(topic, behind: Cursor(epoch: cursor.epoch, offset: first - 1), name)
            return true
        }
        if known.life != place.life {
            ledger.violated("\(name): \(what) \(place) of \(topic) after \(known), without a reset")
        } else if first != known.offset + 1 {
            let kind = first <= known.offset ? "again or out of order" : "behind an untold hole"
            ledger.violated("\(name): \(what) \(first) of \(topic) after \(known), \(kind)")
        }
        return true
    }

    /// No fault of this test loses what was committed, so only deleting a topic explains a reset, and
    /// a new incarnation that of an ephemeral topic.
    private mutating func wasReset(_ reset: BrokerMessage.Reset, _ ledger: inout Ledger) {
        ledger.toldReset()
        let place = reset.cursor.flatMap { Place($0, of: reset.topic.text) }
        let known = places.removeValue(forKey: reset.topic)
        places[reset.topic] = place
        switch ResetReason(rawValue: reset.reason) {
        case .restored where place?.life.isEphemeral == true && known?.life != place?.life: break
        case .deleted where place == nil: break
        case .recreated where place != nil && known?.life != place?.life: break
        case .deleted, .recreated, .restored, nil:
            ledger.violated(
                "\(name): reset of \(reset.topic) from \(known.map { "\($0)" } ?? "nowhere") to "
                    + "\(place.map { "\($0)" } ?? "nowhere"), \(reset.reason)")
        }
        if let cursor = reset.cursor { ledger.began(reset.topic, behind: cursor, name) }
        if let known { ledger.wasLeft(known.life, by: name) }
    }

    /// What it has not seen although everybody had time.
    package func unseen(of heads: [String: Place]) -> [String] {
        heads.sorted { $0.key < $1.key }.compactMap { topic, head in
            guard head.offset > 0, let topic = try? TopicName(topic),
                patterns.contains(where: { $0.matches(topic) }), places[topic] != head
            else { return nil }
            let stands = places[topic].map { "\($0)" } ?? "nowhere"
            return "\(name) stands at \(stands) in \(topic), whose head is \(head)"
        }
    }
}

extension BrokerMessage {
    /// What it is about, if that is one topic.
    fileprivate var topic: TopicName? {
        switch self {
        case .event(let message): message.topic
        case .gap(let gap): gap.topic
        case .reset(let reset): reset.topic
        default: nil
        }
    }
}
