package import EventModel
internal import SessionProtocol

/// `POST /v1/events`, understood: what to append, and which line became which event.
package struct ManyTopicsRequest: Sendable {
    package var append: AppendRequest
    /// One a line, in order.
    package var places: [Place]

    /// Where a line went.
    package struct Place: Hashable, Sendable {
        package var part: Int
        /// The event within the part.
        package var index: Int
        /// An earlier line of the request has the same event id.
        package var repeatsLine: Bool
    }

    /// - Throws: What is wrong with the request, with the line; nothing is to be appended then.
    package init(
        fields: PublishFields, body: [UInt8], limits: Limits, sha256: SHA256
    ) throws(BrokerError) {
        _ = try fields.mediaType(offered: [.ndjson])
        try Self.refuse(fields.ifMatch, "If-Match")
        try Self.refuse(fields.ifNoneMatch, "If-None-Match")
        try Self.refuse(fields.eventID, "Sluice-Event-Id")
        try Self.refuse(fields.key, "Sluice-Key")
        let lines = try PublishBody.multi(body, limits: limits)
        var grouping = Grouping()
        for (topic, event) in lines {
            let key =
                fields.idempotencyKey == nil
                ? IdempotencyKey(event: event, sha256: sha256) : nil
            try grouping.add(event, to: topic, idempotency: key)
        }
        (append, places) = grouping.finish()
        guard let key = fields.idempotencyKey else { return }
        let whole = IdempotencyKey.request(
            key, events: lines.lazy.map { (topic: $0.0, event: $0.1) }, sha256: sha256)
        for part in append.parts.indices { append.parts[part].idempotency = whole }
    }

    private static func refuse(_ value: String?, _ name: String) throws(BrokerError) {
        guard value != nil else { return }
        throw BrokerError(
            .invalidRequest, "\(name) does not fit a request for many topics.",
            remedy: "Publish to one topic, or say it in the lines.", at: InputPlace(field: name))
    }
}

/// Groups lines into parts: those of a topic behind one another, each line with a key of its own
/// alone.
private struct Grouping {
    private var topics: [TopicName] = []
    private var parts: [TopicName: [AppendRequest.Part]] = [:]
    private var keyed: [Name: (part: Int, digest: [UInt8])] = [:]
    /// `part` counts within the topic until `finish`.
    private var places: [(topic: TopicName, place: ManyTopicsRequest.Place)] = []

    private struct Name: Hashable {
        var topic: TopicName
        var key: String
    }

    mutating func add(
        _ event: NewEvent, to topic: TopicName, idempotency: IdempotencyKey?
    ) throws(BrokerError) {
        let count = parts[topic]?.count ?? 0
        if count == 0 { topics.append(topic) }
        guard let idempotency else {
            let joins = count > 0 && parts[topic]?[count - 1].idempotency == nil
            if !joins { parts[topic, default: []].append(.init(topic: topic, events: [])) }
            let part = joins ? count - 1 : count
            parts[topic]?[part].events.append(event)
            let index = (parts[topic]?[part].events.count ?? 1) - 1
            places.append((topic, .init(part: part, index: index, repeatsLine: false)))
            return
        }
        let name = Name(topic: topic, key: idempotency.text)
        if let earlier = keyed[name] {
            guard earlier.digest == idempotency.digest else {
                throw BrokerError(
                    .idempotencyConflict,
                    "Two lines for \(topic) have the event_id \(quoted(event.eventID ?? "")) "
                        + "and different data, key or attributes.",
                    at: InputPlace(field: "event_id"))
            }
            places.append((topic, .init(part: earlier.part, index: 0, repeatsLine: true)))
            return
        }
        keyed[name] = (count, idempotency.digest)
        parts[topic, default: []].append(
            .init(topic: topic, events: [event], idempotency: idempotency))
        places.append((topic, .init(part: count, index: 0, repeatsLine: false)))
    }

    func finish() -> (AppendRequest, [ManyTopicsRequest.Place]) {
        var first: [TopicName: Int] = [:]
        var all: [AppendRequest.Part] = []
        for topic in topics {
            first[topic] = all.count
            all += parts[topic] ?? []
        }
        let absolute = places.map { topic, place in
            var place = place
            place.part += first[topic] ?? 0
            return place
        }
        return (AppendRequest(parts: all), absolute)
    }
}
