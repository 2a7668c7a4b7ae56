internal import EventModel
internal import Logging
internal import PostgresBridge

/// Brings the followed topics into another incarnation of the log (doc:Log, "Incarnations").
///
/// From the suspension on, new events are held at the gates; then the catalog tells which topics
/// there still are, the forks tell what each kept, and each goes on behind its fork.
struct FollowRestart {
    private let context: LogContext
    private let followed: FollowedTopics

    init(_ context: LogContext, _ followed: FollowedTopics) {
        self.context = context
        self.followed = followed
    }

    /// `new`: What the connection entered; nothing happens when the topics are in it already.
    func restart(in new: String, on connection: PostgresConnection) throws(PostgresError) {
        guard !followed.suspend(for: new).isEmpty else { return }
        context.logger.notice(
            "the log began another incarnation", metadata: ["incarnation": "\(new)"])
        let rows = try CatalogReading.rows(above: -1, in: new, on: connection)
        followed.tell(context.catalog.apply(rows, in: new)) {
            context.catalog.entry(of: $0, in: new)
        }
        // Read after the gates were closed: what is appended behind these heads is held there.
        let suspended = followed.suspend(for: new)
        let ends = try PageReading.ends(of: Array(suspended.keys), in: new, on: connection)
        let forks = try forks(of: suspended, in: new, on: connection)
        for end in ends {
            guard let fork = forks[end.topicID], let last = suspended[end.topicID]?.last else {
                continue
            }
            try tellSurvivors(of: end.topicID, after: last, upTo: fork, in: new, on: connection)
            followed.restart(end, fork: fork)
        }
    }

    /// What each topic kept of the life that it was followed in.
    private func forks(
        of suspended: [Int32: FollowedTopics.Suspension], in new: String,
        on connection: PostgresConnection
    ) throws(PostgresError) -> [Int32: Offset] {
        var forks: [Int32: Offset] = [:]
        for topics in Array(suspended.keys).slices {
            let result = try connection.query(
                """
                SELECT u.id, r.fork FROM unnest($2::int[], $3::text[]) u(id, old)
                CROSS JOIN LATERAL sluice.resume($1::text, u.id, u.old, $4::bigint) r
                WHERE r.fork IS NOT NULL
                """,
                [
                    .text(new), .int4Array(Array(topics)),
                    .textArray(topics.map { suspended[$0]?.incarnation }),
                    .int8(Limits.integerMax),
                ], timeout: LogContext.controlTimeout)
            for row in 0..<result.rowCount { forks[result.int4(row, 0)] = result.int8(row, 1) }
        }
        return forks
    }

    /// What the old incarnation had committed and this node had not told yet, or that retention
    /// took it meanwhile: the sink takes events only where it was told that they go on.
    private func tellSurvivors(
        of topicID: Int32, after: Offset, upTo fork: Offset, in new: String,
        on connection: PostgresConnection
    ) throws(PostgresError) {
        var after = after
        while after < fork {
            let page = try PageReading.page(
                of: topicID, after: after, events: context.limits.pageEventsMax,
                bytes: JournalReader.holeBytesMax, in: new, on: connection)
            // The topic was deleted meanwhile; the catalog will tell.
            guard let page else { return }
            let next = min(page.events.first?.offset ?? page.latest + 1, fork + 1)
            let events = page.events.prefix { $0.offset <= fork }
            let last = events.last?.offset ?? next - 1
            guard last > after else { return }
            if next > after + 1 { followed.skipSurvivors(of: topicID, to: next - 1) }
            followed.tellSurvivors(Array(events), of: topicID)
            after = last
        }
    }
}
