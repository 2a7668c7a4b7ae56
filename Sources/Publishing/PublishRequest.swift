package import EventModel

/// What a publisher sent, whatever protocol it came by: the one thing that a new way in has to
/// make.
///
/// All of it is appended in one commit, or nothing.
package struct PublishRequest: Sendable {
    package var content: Content
    /// Governs the whole request.
    ///
    /// Without it an event's own id counts, if it is alone in its request or addressed on its own.
    package var idempotencyKey: String?

    package enum Content: Sendable {
        /// At least one event, appended one behind the other.
        ///
        /// `at` is where the topic stands in the input, for a refusal; `source` is that of a
        /// CloudEvent, within which its id is unique.
        case toOne(
            TopicName, [NewEvent], on: HeadCondition? = nil, at: InputPlace? = nil,
            source: String? = nil)
        /// At least one; those of one topic are appended in this order.
        case toMany([AddressedEvent])
    }

    package init(_ content: Content, idempotencyKey: String? = nil) {
        self.content = content
        self.idempotencyKey = idempotencyKey
    }

    /// Adds the trace context of the request to its events; one that says its own keeps it.
    package mutating func add(_ trace: TraceContext) {
        switch content {
        case .toOne(let topic, var events, let condition, let place, let source):
            for index in events.indices { trace.add(to: &events[index]) }
            content = .toOne(topic, events, on: condition, at: place, source: source)
        case .toMany(var events):
            for index in events.indices { trace.add(to: &events[index].event) }
            content = .toMany(events)
        }
    }
}

/// An event that names its topic itself.
package struct AddressedEvent: Sendable {
    package var topic: TopicName
    package var event: NewEvent
    /// Where it stands in the input, for a refusal.
    package var place: InputPlace?
    /// A CloudEvent's, within which its id is unique.
    package var source: String?

    package init(
        topic: TopicName, event: NewEvent, place: InputPlace? = nil, source: String? = nil
    ) {
        self.topic = topic
        self.event = event
        self.place = place
        self.source = source
    }
}

/// What a publisher expects of its topic's head.
package enum HeadCondition: Hashable, Sendable {
    /// Nothing was ever published to the topic, which need not exist.
    case neverPublished
    /// A subscriber with this cursor has everything, and would go on without a `reset`.
    case head(Cursor)
}
