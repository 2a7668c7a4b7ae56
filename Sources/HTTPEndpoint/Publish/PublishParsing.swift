internal import CloudEvents
package import EventModel
package import Publishing

extension PublishRequest {
    /// `POST /v1/topics/{topic}/events`, understood.
    ///
    /// - Throws: What is wrong with the request, with the place; nothing is to be appended then.
    package init(
        to topic: TopicName, fields: PublishFields, body: [UInt8], limits: Limits
    ) throws(BrokerError) {
        if fields.isBinaryCloudEvent {
            self = try Self(binary: body, to: topic, fields, limits)
        } else {
            self = try Self(to: topic, fields, body, limits)
        }
        if let trace = fields.trace { add(trace) }
    }

    private init(
        to topic: TopicName, _ fields: PublishFields, _ body: [UInt8], _ limits: Limits
    ) throws(BrokerError) {
        let type = try fields.mediaType(offered: [.json, .ndjson, .cloudEvent, .cloudEventBatch])
        let condition = try fields.condition()
        var events: [NewEvent]
        switch type {
        case .cloudEvent:
            let event = try CloudEvent(structured: body, limits: limits)
            self = try Self(event, to: topic, fields)
            return
        case .cloudEventBatch:
            self = try Self(batch: CloudEvent.batch(body, limits: limits), to: topic, fields)
            return
        case .json, .mergePatch, .eventStream:
            var event = try PublishBody.single(body, limits: limits)
            event.eventID = fields.eventID
            event.key = fields.key
            try EventValidation.checkSize(event, limits: limits)
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
        self.init(.toOne(topic, events, on: condition), idempotencyKey: fields.idempotencyKey)
    }

    /// `POST /v1/events`, understood.
    ///
    /// - Throws: What is wrong with the request, with the line; nothing is to be appended then.
    package init(fields: PublishFields, body: [UInt8], limits: Limits) throws(BrokerError) {
        _ = try fields.mediaType(offered: [.ndjson])
        try fields.refuseThoseOfOneTopic()
        self.init(
            .toMany(try PublishBody.multi(body, limits: limits)),
            idempotencyKey: fields.idempotencyKey)
        if let trace = fields.trace { add(trace) }
    }
}
