package import EventModel
internal import SessionProtocol

/// Makes digests; OpenSSL's in the broker.
package typealias SHA256 = @Sendable ([UInt8]) -> [UInt8]

/// `POST /v1/topics/{topic}/events`, understood: what to append, and on what condition.
package struct PublishRequest: Sendable {
    package var append: AppendRequest
    package var condition: HeadCondition?

    /// - Throws: What is wrong with the request, with the place; nothing is to be appended then.
    package init(
        topic: TopicName, fields: PublishFields, body: [UInt8], limits: Limits, sha256: SHA256
    ) throws(BrokerError) {
        try EventValidation.checkPublishable(topic)
        let type = try fields.mediaType(offered: [.json, .ndjson])
        condition = try fields.condition()
        var events: [NewEvent]
        var idempotency: IdempotencyKey?
        switch type {
        case .json, .mergePatch:
            var event = try PublishBody.single(body, limits: limits)
            event.eventID = fields.eventID
            event.key = fields.key
            try EventValidation.checkSize(event, limits: limits)
            idempotency = IdempotencyKey(event: event, sha256: sha256)
            events = [event]
        case .ndjson:
            guard fields.eventID == nil else {
                throw BrokerError(
                    .invalidRequest, "Sluice-Event-Id names one event, but NDJSON holds many.",
                    remedy: "Send Idempotency-Key, or POST /v1/events with an event_id per line.",
                    at: InputPlace(field: "Sluice-Event-Id"))
            }
            events = try PublishBody.lines(body, limits: limits)
            if let key = fields.key {
                for index in events.indices {
                    events[index].key = key
                    try EventValidation.checkSize(events[index], limits: limits)
                }
            }
        }
        if let key = fields.idempotencyKey {
            idempotency = .request(
                key, events: events.lazy.map { (topic: nil, event: $0) }, sha256: sha256)
        }
        append = AppendRequest(parts: [
            .init(
                topic: topic, events: events,
                expectedHead: condition == .neverPublished ? 0 : nil, idempotency: idempotency)
        ])
    }
}
