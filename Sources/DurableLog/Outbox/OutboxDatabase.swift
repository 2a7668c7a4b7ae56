package import EventModel
package import PostgresBridge

/// An event of a SQL publisher that could not be appended (doc:SQL).
package struct RefusedEvent: Sendable, Equatable {
    /// Of its row in the outbox.
    package var id: Int64
    /// When the broker refused it.
    package var time: Timestamp
    /// A code of the catalogue, as its text.
    package var reason: String
    package var topic: String
    /// The event's data, and the rest as it was published; of an excerpt, the data's beginning.
    package var event: NewEvent
    /// Bytes of the whole data.
    package var dataBytes: Int64

    package init(
        id: Int64, time: Timestamp, reason: String, topic: String, event: NewEvent,
        dataBytes: Int64
    ) {
        self.id = id
        self.time = time
        self.reason = reason
        self.topic = topic
        self.event = event
        self.dataBytes = dataBytes
    }
}

/// How many refused events have a topic and a reason.
package struct RefusedCount: Sendable, Equatable {
    package var topic: String
    package var reason: String
    package var count: Int64
    package var oldest: Timestamp

    package init(topic: String, reason: String, count: Int64, oldest: Timestamp) {
        self.topic = topic
        self.reason = reason
        self.count = count
        self.oldest = oldest
    }
}

/// The refused events of a database's outbox.
///
/// Every method throws `database_unavailable` (retry) when there is no connection or no outbox yet.
package struct OutboxDatabase: Sendable {
    private static let timeout = LogContext.controlTimeout

    private let database: PlainDatabase

    /// Connects when it is asked something.
    package init(_ configuration: PostgresConfiguration) {
        database = PlainDatabase(configuration, lacking: "outbox of SQL publishers")
    }

    /// Refused events in the order of their ids.
    ///
    /// - Parameters:
    ///   - after: Only those with a higher id.
    ///   - count: At most so many.
    ///   - excerpt: Only so many characters of the data; `nil` for all of it.
    /// - Returns: Fewer than `count` at the end only.
    /// - Throws: `database_unavailable`.
    package func refused(
        after: Int64, count: Int, excerpt: Int? = nil
    ) async throws(BrokerError) -> [RefusedEvent] {
        try await database.answer { connection throws(PostgresError) in
            let result = try connection.query(
                """
                SELECT id, at, reason, topic, left(payload::text, coalesce($3::int, 2147483647)),
                  octet_length(payload::text)::bigint, key, event_id, attributes
                FROM sluice.outbox_dead WHERE id > $1::bigint ORDER BY id LIMIT $2::int
                """,
                [
                    .int8(after), .int4(Int32(clamping: count)),
                    excerpt.map { .int4(Int32(clamping: $0)) } ?? .null,
                ], timeout: Self.timeout)
            return (0..<result.rowCount).map { row in
                RefusedEvent(
                    id: result.int8(row, 0),
                    time: Timestamp(microseconds: result.timestamp(row, 1)),
                    reason: result.text(row, 2), topic: result.text(row, 3),
                    event: NewEvent(
                        data: result.bytes(row, 4),
                        key: result.isNull(row, 6) ? nil : result.text(row, 6),
                        eventID: result.isNull(row, 7) ? nil : result.text(row, 7),
                        attributes: result.isNull(row, 8) ? nil : result.bytes(row, 8)),
                    dataBytes: result.int8(row, 5))
            }
        }
    }

    /// Which of these ids refused events have, in order; of all, if none are given.
    package func ids(among ids: [Int64]?) async throws(BrokerError) -> [Int64] {
        try await database.answer { connection throws(PostgresError) in
            let result = try connection.query(
                """
                SELECT id FROM sluice.outbox_dead
                WHERE $1::bigint[] IS NULL OR id = ANY ($1::bigint[]) ORDER BY id
                """, [ids.map { .int8Array($0) } ?? .null], timeout: Self.timeout)
            return (0..<result.rowCount).map { result.int8($0, 0) }
        }
    }

    /// What these are, by topic and reason, the most first.
    package func counts(of ids: [Int64]) async throws(BrokerError) -> [RefusedCount] {
        try await database.answer { connection throws(PostgresError) in
            let result = try connection.query(
                """
                SELECT topic, reason, count(*), min(at) FROM sluice.outbox_dead
                WHERE id = ANY ($1::bigint[]) GROUP BY topic, reason ORDER BY count(*) DESC, 1, 2
                """, [.int8Array(ids)], timeout: Self.timeout)
            return (0..<result.rowCount).map { row in
                RefusedCount(
                    topic: result.text(row, 0), reason: result.text(row, 1),
                    count: result.int8(row, 2),
                    oldest: Timestamp(microseconds: result.timestamp(row, 3)))
            }
        }
    }

    /// Puts refused events back into the outbox, behind what is there.
    ///
    /// - Returns: How many there were of these ids.
    package func retry(_ ids: [Int64]) async throws(BrokerError) -> Int64 {
        try await inSteps("outbox_retry", ids)
    }

    /// Deletes refused events for good.
    ///
    /// - Returns: How many there were of these ids.
    package func discard(_ ids: [Int64]) async throws(BrokerError) -> Int64 {
        try await inSteps("outbox_discard", ids)
    }

    /// Rows of one transaction.
    private static let stepMax = 10_000

    private func inSteps(_ function: String, _ ids: [Int64]) async throws(BrokerError) -> Int64 {
        let ids = ids.sorted()
        return try await database.answer { connection throws(PostgresError) in
            var count: Int64 = 0
            for start in stride(from: 0, to: ids.count, by: Self.stepMax) {
                let step = ids[start..<min(start + Self.stepMax, ids.count)]
                count += try connection.query(
                    "SELECT sluice.\(function)($1::bigint[])", [.int8Array(Array(step))],
                    timeout: Self.timeout
                ).int8(0, 0)
            }
            return count
        }
    }
}
