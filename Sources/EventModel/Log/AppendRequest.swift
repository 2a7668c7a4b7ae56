/// What one publisher wants appended: all of it in one commit, or nothing (but for repeats).
package struct AppendRequest: Sendable {
    /// In the order of the request.
    ///
    /// Neighbouring parts of one topic are appended one behind the other.
    package var parts: [Part]
    /// Whether topics that do not exist yet may be created.
    package var createsTopics: Bool
    /// Who asks, for shares of the queue before the log; empty: anonymous.
    package var publisher: String

    /// Events of one topic that stand or fall with one condition.
    package struct Part: Sendable {
        package var topic: TopicName
        /// At least one.
        package var events: [NewEvent]
        /// The topic's last offset that the publisher expects; 0 if it never had an event.
        package var expectedHead: Offset?
        /// De-duplicates within (topic, key), at least 24 h.
        package var idempotency: IdempotencyKey?

        package init(
            topic: TopicName, events: [NewEvent], expectedHead: Offset? = nil,
            idempotency: IdempotencyKey? = nil
        ) {
            self.topic = topic
            self.events = events
            self.expectedHead = expectedHead
            self.idempotency = idempotency
        }
    }

    package init(parts: [Part], createsTopics: Bool = true, publisher: String = "") {
        self.parts = parts
        self.createsTopics = createsTopics
        self.publisher = publisher
    }

    package var eventCount: Int { parts.reduce(0) { $0 + $1.events.count } }

    package var byteCount: Int {
        parts.reduce(0) { $1.events.reduce($0) { $0 + $1.byteCount } }
    }
}

/// A key with which publishing again appends nothing, and the digest that tells another body (DESIGN 2.5).
package struct IdempotencyKey: Hashable, Sendable {
    /// The key with its scope's prefix: `e:` and the event id, or `k:` and the request's key.
    package var text: String
    /// 16 bytes: the first of SHA-256 over the data.
    package var digest: [UInt8]

    package init(text: String, digest: [UInt8]) {
        self.text = text
        self.digest = digest
    }

    /// The key of an event that has an id of its own; the log's SQL side makes the same.
    package init?(event: NewEvent, sha256: ([UInt8]) -> [UInt8]) {
        guard let eventID = event.eventID else { return nil }
        self.init(text: "e:\(eventID)", digest: Array(sha256(event.data).prefix(16)))
    }
}

/// The answer to an append that committed: one receipt a part, in order.
package struct AppendReceipt: Hashable, Sendable {
    package var topic: TopicName
    package var epoch: Epoch
    package var first: Offset
    package var last: Offset
    package var time: Timestamp
    /// The events were appended by an earlier request with the same key.
    package var isRepeat: Bool

    package init(
        topic: TopicName, epoch: Epoch, first: Offset, last: Offset, time: Timestamp, isRepeat: Bool
    ) {
        self.topic = topic
        self.epoch = epoch
        self.first = first
        self.last = last
        self.time = time
        self.isRepeat = isRepeat
    }

    package var cursor: Cursor { Cursor(epoch: epoch, offset: last) }
}
