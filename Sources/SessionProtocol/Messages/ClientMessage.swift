package import EventModel

/// What a client may say in a session (doc:Session).
package enum ClientMessage: Hashable, Sendable {
    /// `id` is optional here and only here.
    case auth(token: String, id: Int64? = nil)
    case subscribe(SubscribeRequest)
    /// Before the subscribe with the same id: cursors that one message does not hold.
    case cursors(id: Int64, [TopicName: Cursor])
    case unsubscribe(id: Int64)
    /// On the single-topic stream without `id`.
    case credit(id: Int64?, events: Int64)
    /// Changes a subscription and keeps its position.
    case update(id: Int64, SubscriptionChanges)
    case publish(PublishMessage)
    /// On the single-topic stream without `id`.
    case ping(id: Int64?)
}

extension ClientMessage {
    /// The request's id, for its answer.
    var id: Int64? {
        switch self {
        case .auth(_, let id), .ping(let id), .credit(let id, _): id
        case .subscribe(let request): request.id
        case .publish(let message): message.id
        case .unsubscribe(let id), .update(let id, _), .cursors(let id, _): id
        }
    }

    /// The request's type as on the wire.
    var type: String { kind.rawValue }
}

/// A wish to follow topics.
package struct SubscribeRequest: Hashable, Sendable {
    package var id: Int64
    /// At least one; a topic that several of them match comes once.
    package var patterns: [TopicPattern]
    package var from: StartPosition
    /// Wins over `from`, topic by topic.
    package var cursors: [TopicName: Cursor]
    package var options: SubscriptionOptions
    /// Which events come (doc:Filters); `nil`: all.
    package var filter: String?

    package init(
        id: Int64, patterns: [TopicPattern], from: StartPosition = .latest,
        cursors: [TopicName: Cursor] = [:],
        options: SubscriptionOptions = SubscriptionOptions(), filter: String? = nil
    ) {
        self.id = id
        self.patterns = patterns
        self.from = from
        self.cursors = cursors
        self.options = options
        self.filter = filter
    }
}

/// An event to append.
package struct PublishMessage: Hashable, Sendable {
    package var id: Int64
    package var topic: TopicName
    package var event: NewEvent
    /// The head that the publisher expects.
    package var ifHead: Cursor?

    package init(id: Int64, topic: TopicName, event: NewEvent, ifHead: Cursor? = nil) {
        self.id = id
        self.topic = topic
        self.event = event
        self.ifHead = ifHead
    }
}

/// A message that could not be read, and what its answer can name.
package struct ClientMessageRefusal: Error, Equatable, Sendable {
    package var error: BrokerError
    package var id: Int64?
    /// The message's type, if it is one.
    package var to: String?

    package init(_ error: BrokerError, id: Int64? = nil, to: String? = nil) {
        self.error = error
        self.id = id
        self.to = to
    }
}
