internal import EventModel
internal import PostgresBridge

/// What a page is asked for by; equal ones share a read.
struct PageKey: Hashable, Sendable {
    var topic: TopicName
    var after: Offset
    var events: Int
    var bytes: Int
}

extension ReadInbox {
    typealias PageCompletion = @Sendable (Result<EventPage, BrokerError>) -> Void

    func page(
        of topic: TopicName, after: Offset, events: Int, bytes: Int,
        completion: @escaping PageCompletion
    ) {
        let key = PageKey(topic: topic, after: after, events: events, bytes: bytes)
        guard let shared = pages.join(key, completion) else { return }
        ask(
            Question { [self] connection, incarnation throws(PostgresError) in
                let completions = pages.close(shared)
                let page = try read(key, connection, incarnation)
                let answer = page.map { .success($0) } ?? Self.noPage(of: topic)
                for completion in completions { completion(answer) }
            } fail: { [self] error in
                for completion in pages.close(shared) { completion(.failure(error)) }
            })
    }

    private static func noPage(of topic: TopicName) -> Result<EventPage, BrokerError> {
        .failure(TopicLookup.notFound(topic))
    }

    private func read(
        _ key: PageKey, _ connection: PostgresConnection, _ incarnation: String
    ) throws(PostgresError) -> EventPage? {
        // The second time, an id that turned out to be a deleted topic's is looked up by name.
        for _ in 1...2 {
            let ids = try TopicLookup.ids(of: [key.topic], in: incarnation, context, on: connection)
            guard let entry = ids[key.topic] else { return nil }
            let page =
                entry.isEphemeral
                ? try emptyPage(of: entry.id, connection, incarnation)
                : try PageReading.page(
                    of: entry.id, after: key.after, events: key.events, bytes: key.bytes,
                    in: incarnation, on: connection)
            if let page {
                let position = TopicPosition(
                    topic: key.topic, epoch: Epoch(incarnation: incarnation, topicID: entry.id),
                    earliest: page.earliest, latest: page.latest, isEphemeral: entry.isEphemeral)
                return EventPage(
                    position: position, purgedBelow: page.purgedBelow, events: page.events)
            }
            context.catalog.forget(key.topic, id: entry.id)
        }
        return nil
    }

    /// An ephemeral topic has ends only.
    private func emptyPage(
        of topicID: Int32, _ connection: PostgresConnection, _ incarnation: String
    ) throws(PostgresError) -> TopicPage? {
        try PageReading.ends(of: [topicID], in: incarnation, on: connection).first.map {
            TopicPage(earliest: $0.earliest, latest: $0.latest, purgedBelow: 1, events: [])
        }
    }
}
