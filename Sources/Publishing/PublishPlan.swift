internal import AccessControl
internal import EventModel

/// How a request is appended, and where its events are in the append.
struct PublishPlan {
    private(set) var append: AppendRequest
    /// One an event, in the order of the request; none of a request to one topic, whose events are
    /// the only part.
    private(set) var places: [EventPlace] = []
    /// The condition is one on a head, so that a topic that is not there is refused, not created.
    private(set) var expectsTopic = false

    /// - Throws: `forbidden`; `idempotency_conflict` for two events of one id that are not the
    ///   same.
    init(
        _ request: PublishRequest, by identity: Identity?, createsTopics: Bool, sha256: SHA256
    ) throws(BrokerError) {
        let permission = Permission(of: identity)
        switch request.content {
        case .toOne(let topic, let events, let condition, let place, let source):
            try permission.checkPublish(to: topic, at: place)
            var part = AppendRequest.Part(topic: topic, events: events)
            switch condition {
            case nil: break
            case .neverPublished: part.expectedHead = 0
            case .head(let cursor):
                part.expectedHead = cursor.offset
                // So that it is not another life's offset by the time it is appended.
                part.expectedEpoch = cursor.epoch
                expectsTopic = true
            }
            if let key = request.idempotencyKey {
                part.idempotency = .request(
                    key, events: events.lazy.map { (topic: nil, event: $0) }, sha256: sha256)
            } else if events.count == 1 {
                part.idempotency = IdempotencyKey(
                    event: events[0], source: source, sha256: sha256)
            }
            append = AppendRequest(parts: [part])
        case .toMany(let events):
            for event in events { try permission.checkPublish(to: event.topic, at: event.place) }
            var grouping = EventGrouping()
            for event in events {
                let key =
                    request.idempotencyKey == nil
                    ? IdempotencyKey(event: event.event, source: event.source, sha256: sha256) : nil
                try grouping.add(event, idempotency: key)
            }
            let (parts, places) = grouping.finish()
            append = AppendRequest(parts: parts)
            self.places = places
            if let key = request.idempotencyKey {
                let whole = IdempotencyKey.request(
                    key, events: events.lazy.map { (topic: $0.topic, event: $0.event) },
                    sha256: sha256)
                for part in append.parts.indices { append.parts[part].idempotency = whole }
            }
        }
        append.createsTopics = createsTopics && !expectsTopic
        append.publisher = identity
    }
}
