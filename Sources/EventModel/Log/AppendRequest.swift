/// What one publisher wants appended: all of it in one commit, or nothing (but for repeats).
package struct AppendRequest: Sendable {
    /// In the order of the request.
    ///
    /// Neighbouring parts of one topic are appended one behind the other.
    package var parts: [Part]
    /// Whether topics that do not exist yet may be created.
    package var createsTopics: Bool
    /// Who asks, for shares of the queue before the log; `nil`: anonymous.
    package var publisher: Identity?

    /// Events of one topic that stand or fall with one condition.
    package struct Part: Sendable {
        package var topic: TopicName
        /// At least one.
        package var events: [NewEvent]
        /// The topic's last offset that the publisher expects; 0 if it never had an event.
        package var expectedHead: Offset?
        /// The life of the topic in which that head was seen.
        ///
        /// In another one it holds only if a subscriber that stood there could go on; the log finds
        /// out, and what comes behind it to the topic waits with it.
        package var expectedEpoch: Epoch?
        /// De-duplicates within (topic, key), at least 24 h.
        package var idempotency: IdempotencyKey?

        package init(
            topic: TopicName, events: [NewEvent], expectedHead: Offset? = nil,
            expectedEpoch: Epoch? = nil, idempotency: IdempotencyKey? = nil
        ) {
            self.topic = topic
            self.events = events
            self.expectedHead = expectedHead
            self.expectedEpoch = expectedEpoch
            self.idempotency = idempotency
        }
    }

    package init(parts: [Part], createsTopics: Bool = true, publisher: Identity? = nil) {
        self.parts = parts
        self.createsTopics = createsTopics
        self.publisher = publisher
    }

    package var eventCount: Int { parts.reduce(0) { $0 + $1.events.count } }

    package var byteCount: Int {
        var count = 0
        for part in parts {
            // By index: a copy of each event would retain all that it has.
            for place in part.events.indices { count += part.events[place].byteCount }
        }
        return count
    }
}

/// A key with which publishing again appends nothing, and the digest that tells another body
/// (doc:Contract).
package struct IdempotencyKey: Hashable, Sendable {
    /// The key with its scope's prefix: `e:` and the event id, `c:` and a CloudEvent's source and
    /// id, or `k:` and the request's key.
    package var text: String
    /// 16 bytes: the first of SHA-256 over what must be the same again.
    package var digest: [UInt8]

    package init(text: String, digest: [UInt8]) {
        self.text = text
        self.digest = digest
    }

    /// It is an event's own id, and not the request's key.
    var isOfEvent: Bool { text.hasPrefix("e:") || text.hasPrefix("c:") }

    /// The key of an event that has an id of its own; the log's SQL side makes the same.
    ///
    /// With `source`, of a CloudEvent, the id counts within it (doc:CloudEvents). A source has no
    /// space, so that two keys are never the same text.
    package init?(event: NewEvent, source: String? = nil, sha256: ([UInt8]) -> [UInt8]) {
        guard let eventID = event.eventID else { return nil }
        var text = "e:\(eventID)"
        if let source {
            let name = "\(source) \(eventID)"
            let isShort = name.utf8.count <= Limits.keyBytesMax
            text = "c:" + (isShort ? name : Base64.encode(sha256(Array(name.utf8))))
        }
        // The id is the key itself, so its place is empty.
        let material = event.material(eventID: nil)
        self.init(text: text, digest: Array(sha256(material).prefix(16)))
    }

    /// The key of a whole request: of its events, with the topics before them if there are several.
    ///
    /// White space around the data is not part of it (doc:CommonRules).
    package static func request(
        _ key: String, events: some Sequence<(topic: TopicName?, event: NewEvent)>,
        sha256: ([UInt8]) -> [UInt8]
    ) -> IdempotencyKey {
        var pieces: [[UInt8]] = []
        for (topic, event) in events {
            if let topic { pieces.append(Array(topic.text.utf8)) }
            pieces.append(event.material(eventID: event.eventID))
        }
        let whole =
            pieces.count == 1 ? pieces[0] : Array(pieces.joined(separator: [UInt8(ascii: "\n")]))
        return IdempotencyKey(text: "k:\(key)", digest: Array(sha256(whole).prefix(16)))
    }
}

extension NewEvent {
    /// `data 0 key 0 event_id 0 attributes`, empty where there is none, or the data alone; NUL is
    /// in none of them, and the attributes are without the trace context.
    fileprivate func material(eventID: String?) -> [UInt8] {
        if key == nil, eventID == nil, attributes == nil { return data }
        let attributes = attributes.flatMap { TraceContext.removed(from: $0) }
        let texts = [key.map { Array($0.utf8) }, eventID.map { Array($0.utf8) }, attributes]
        guard texts.contains(where: { $0 != nil }) else { return data }
        return texts.reduce(into: data) { material, text in
            material.append(0)
            material += text ?? []
        }
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
