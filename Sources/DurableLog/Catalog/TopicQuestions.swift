internal import EventModel
internal import PostgresBridge

extension ReadInbox {
    /// Waits for an answer of the reader's threads without blocking one of the concurrency pool.
    func answer<Value: Sendable>(
        _ ask: @escaping @Sendable (PostgresConnection, String) throws(PostgresError) -> Value
    ) async throws(BrokerError) -> Value {
        let result: Result<Value, BrokerError> = await withCheckedContinuation { continuation in
            self.ask(
                Question { connection, incarnation throws(PostgresError) in
                    let value = try ask(connection, incarnation)
                    continuation.resume(returning: .success(value))
                } fail: {
                    continuation.resume(returning: .failure($0))
                })
        }
        return try result.get()
    }

    func describe(_ topic: TopicName) async throws(BrokerError) -> TopicDescription? {
        try await answer { connection, incarnation throws(PostgresError) in
            try TopicDescribing.topic(topic, in: incarnation, on: connection)
        }
    }

    func list(
        matching patterns: [TopicPattern], after: TopicName?, count: Int
    ) async throws(BrokerError) -> [TopicDescription] {
        try await answer { connection, incarnation throws(PostgresError) in
            try TopicDescribing.topics(
                matching: patterns, after: after, count: count, in: incarnation, on: connection)
        }
    }

    func create(
        _ topic: TopicName, settings: TopicSettings
    ) async throws(BrokerError) -> TopicDescription {
        try await answer { connection, incarnation throws(PostgresError) in
            try TopicManagement(topic, incarnation, connection).create(settings)
        }.get()
    }

    func alter(
        _ topic: TopicName, _ changes: TopicChanges, ifRevision: Int?
    ) async throws(BrokerError) -> TopicDescription {
        try await answer { connection, incarnation throws(PostgresError) in
            try TopicManagement(topic, incarnation, connection)
                .alter(changes, ifRevision: ifRevision)
        }.get()
    }

    func delete(
        _ topic: TopicName, ifRevision: Int?
    ) async throws(BrokerError) -> TopicDescription {
        try await answer { connection, incarnation throws(PostgresError) in
            try TopicManagement(topic, incarnation, connection).delete(ifRevision: ifRevision)
        }.get()
    }

    func purge(
        _ topic: TopicName, before: Offset, ifRevision: Int?
    ) async throws(BrokerError) -> TopicPurge {
        try await answer { connection, incarnation throws(PostgresError) in
            try TopicManagement(topic, incarnation, connection)
                .purge(before: before, ifRevision: ifRevision)
        }.get()
    }
}
