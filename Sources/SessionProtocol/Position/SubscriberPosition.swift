package import EventModel

/// What a client keeps of one subscription, so that a new connection goes on exactly where the last
/// one broke (doc:Session).
package struct SubscriberPosition: Sendable {
    private let request: SubscribeRequest
    private let began: Timestamp
    /// Where the broker says that topics begin which were never seen.
    private var resumeFrom: StartPosition?
    /// The last cursor seen of each topic.
    package private(set) var cursors: [TopicName: Cursor]

    /// - Parameters:
    ///   - request: The first one.
    ///   - began: `time` of the first welcome: the broker's clock, not ours.
    package init(_ request: SubscribeRequest, began: Timestamp) {
        self.request = request
        self.began = began
        cursors = request.cursors
    }

    /// Follows what the broker says; messages about other subscriptions' topics change nothing.
    package mutating func received(_ message: BrokerMessage) {
        switch message {
        case .subscribed(let message):
            guard message.id == request.id else { return }
            resumeFrom = message.resumeFrom.flatMap { try? StartPosition($0) } ?? resumeFrom
            for topic in message.topics {
                if let cursor = topic.cursor { cursors[topic.topic] = cursor }
            }
        case .event(let message): moved(message.topic, to: message.cursor)
        case .gap(let message): moved(message.topic, to: message.cursor)
        case .reset(let message): moved(message.topic, to: message.cursor)
        case .cursor(let positions):
            // Also of topics that were never seen: all that they had was left out.
            for (topic, cursor) in positions where !isBehind(cursor, in: topic) {
                moved(topic, to: cursor)
            }
        case .welcome, .authenticated, .live, .lagging, .published, .unsubscribed, .updated,
            .error, .pong, .heartbeat, .closing:
            break
        }
    }

    private func isBehind(_ cursor: Cursor, in topic: TopicName) -> Bool {
        guard let known = cursors[topic], known.epoch == cursor.epoch else { return false }
        return cursor.offset < known.offset
    }

    private mutating func moved(_ topic: TopicName, to cursor: Cursor?) {
        guard cursors[topic] != nil || request.patterns.contains(where: { $0.matches(topic) })
        else { return }
        cursors[topic] = cursor
    }

    /// The request with which the next connection goes on.
    package var resumption: SubscribeRequest {
        var next = request
        next.cursors = cursors
        next.from = resumeFrom ?? request.from.ofUnseenTopics(began: began)
        return next
    }

    /// What is said to go on in a session of this welcome, in order; with options that may have
    /// changed since the first request.
    package func resumption(
        in welcome: BrokerMessage.Welcome, options: SubscriptionOptions? = nil
    ) -> [ClientMessage] {
        var next = resumption
        next.options = options ?? next.options
        return next.messages(
            cursorsMax: welcome.topicsPerSubscribe, bytesMax: welcome.messageBytes)
    }
}

extension StartPosition {
    /// Where topics begin that were never seen, when a subscription resumes that began so, and whose
    /// broker could not ask its database for a mark.
    ///
    /// Nothing that commits after the first start may be missing; a few events from before it may
    /// come. `began`: When that was, by the broker's clock.
    package func ofUnseenTopics(began: Timestamp) -> StartPosition {
        switch self {
        // These name the same place whenever they are said.
        case .earliest, .offset, .after, .time, .mark: self
        case .latest, .last: .time(began.advanced(by: .zero - ResumeMark.margin))
        case .ago(let duration): .time(began.advanced(by: .zero - max(duration, ResumeMark.margin)))
        }
    }
}
