internal import EventModel
internal import PostgresBridge

/// Deletes what retention, a purge or a topic's deletion has released, in bounded steps with
/// pauses.
struct RetentionRound {
    private let context: LogContext
    private var due: [Int32] = []
    private var nextRound = ContinuousClock.now

    init(_ context: LogContext) { self.context = context }

    mutating func step(on connection: PostgresConnection) throws(PostgresError) {
        let now = ContinuousClock.now
        if due.isEmpty {
            guard now >= nextRound else { return }
            nextRound = now + context.limits.retentionInterval
            due = try candidates(on: connection)
        }
        while let topicID = due.last, ContinuousClock.now < now + context.limits.retentionTurn {
            let gone = try keeping("retain", context) { () throws(PostgresError) in
                try connection.query(
                    "SELECT sluice.retain($1::int)", [.int4(topicID)]
                ).int8(0, 0)
            }
            if gone ?? 0 == 0 { due.removeLast() }
        }
    }

    /// Topics that may hold something to delete: with a limit, purged, or deleted with events.
    private func candidates(on connection: PostgresConnection) throws(PostgresError) -> [Int32] {
        let result = try keeping("retention", context) { () throws(PostgresError) in
            try connection.query(
                """
                SELECT t.topic_id FROM sluice.topics t CROSS JOIN sluice.settings s
                WHERE NOT t.ephemeral AND CASE
                  WHEN t.deleted_at IS NOT NULL
                    THEN EXISTS (SELECT FROM sluice.events v WHERE v.topic_id = t.topic_id)
                  ELSE coalesce(t.retain_age, s.default_retain_age, '-1 s') <> '-1 s'
                    OR coalesce(t.retain_count, s.default_retain_count, -1) <> -1
                    OR coalesce(t.retain_bytes, s.default_retain_bytes, -1) <> -1
                    OR t.purged_below > coalesce(
                      (SELECT first_off FROM sluice.tail(t.topic_id)), 1) END
                """)
        }
        guard let result else { return [] }
        return (0..<result.rowCount).map { result.int4($0, 0) }
    }
}
