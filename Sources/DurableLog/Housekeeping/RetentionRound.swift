internal import EventModel
internal import PostgresBridge

/// Deletes what retention, a purge or a topic's deletion has released, in bounded steps with
/// pauses.
///
/// A round looks at the topics that are due (`sluice.retention`), so its cost follows what there is
/// to let go and not how many topics have a limit.
struct RetentionRound {
    /// Topics of one round; the rest comes in the next.
    private static let topicsMax = 10_000

    private let context: LogContext
    /// The one that has waited longest comes last.
    private var due: [Int32] = []
    private var nextRound = ContinuousClock.now

    init(_ context: LogContext) { self.context = context }

    mutating func step(on connection: PostgresConnection) throws(PostgresError) {
        let now = ContinuousClock.now
        if due.isEmpty {
            guard now >= nextRound else { return }
            nextRound = now + context.limits.retentionInterval
            try tellAppended(on: connection)
            due = try dueTopics(on: connection)
            // A round that found all it may find goes on when it is done.
            if due.count == Self.topicsMax { nextRound = now }
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

    private func tellAppended(on connection: PostgresConnection) throws(PostgresError) {
        let topicIDs = context.appendedTopics.take()
        guard !topicIDs.isEmpty else { return }
        let told = try keeping("make_due", context) { () throws(PostgresError) in
            try connection.query("SELECT sluice.make_due($1::int[])", [.int4Array(Array(topicIDs))])
        }
        if told == nil { context.appendedTopics.insert(topicIDs) }
    }

    private func dueTopics(on connection: PostgresConnection) throws(PostgresError) -> [Int32] {
        let result = try keeping("retention", context) { () throws(PostgresError) in
            try connection.query(
                """
                SELECT topic_id FROM sluice.retention WHERE due <= now() ORDER BY due
                LIMIT \(Self.topicsMax)
                """)
        }
        guard let result else { return [] }
        return (0..<result.rowCount).reversed().map { result.int4($0, 0) }
    }
}
