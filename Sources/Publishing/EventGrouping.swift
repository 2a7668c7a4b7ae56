internal import EventModel

/// Where an event of a request is in its append.
struct EventPlace: Hashable, Sendable {
    var part: Int
    /// The event within the part.
    var index: Int
    /// An earlier event of the request has the same id.
    var isRepeat: Bool
}

/// Groups addressed events into parts: those of a topic behind one another, each event with a key
/// of its own alone.
struct EventGrouping {
    private var topics: [TopicName] = []
    private var parts: [TopicName: [AppendRequest.Part]] = [:]
    private var keyed: [Name: (part: Int, digest: [UInt8])] = [:]
    /// `part` counts within the topic until `finish`.
    private var places: [(topic: TopicName, place: EventPlace)] = []

    private struct Name: Hashable {
        var topic: TopicName
        var key: String
    }

    mutating func add(
        _ addressed: AddressedEvent, idempotency: IdempotencyKey?
    ) throws(BrokerError) {
        let (topic, event) = (addressed.topic, addressed.event)
        let count = parts[topic]?.count ?? 0
        if count == 0 { topics.append(topic) }
        guard let idempotency else {
            let joins = count > 0 && parts[topic]?[count - 1].idempotency == nil
            if !joins { parts[topic, default: []].append(.init(topic: topic, events: [])) }
            let part = joins ? count - 1 : count
            parts[topic]?[part].events.append(event)
            let index = (parts[topic]?[part].events.count ?? 1) - 1
            places.append((topic, EventPlace(part: part, index: index, isRepeat: false)))
            return
        }
        let name = Name(topic: topic, key: idempotency.text)
        if let earlier = keyed[name] {
            guard earlier.digest == idempotency.digest else {
                let name = addressed.source == nil ? "event_id" : "id"
                throw BrokerError(
                    .idempotencyConflict,
                    "Two events for \(topic) have the \(name) \(quoted(event.eventID ?? "")) "
                        + "and different data, key or attributes.",
                    at: InputPlace(line: addressed.place?.line, field: name))
            }
            places.append((topic, EventPlace(part: earlier.part, index: 0, isRepeat: true)))
            return
        }
        keyed[name] = (count, idempotency.digest)
        parts[topic, default: []].append(
            .init(topic: topic, events: [event], idempotency: idempotency))
        places.append((topic, EventPlace(part: count, index: 0, isRepeat: false)))
    }

    func finish() -> (parts: [AppendRequest.Part], places: [EventPlace]) {
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
        return (all, absolute)
    }
}
