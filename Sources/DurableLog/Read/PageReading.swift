internal import EventModel
internal import PostgresBridge

/// The statements that read pages and ends of topics; each names the incarnation.
enum PageReading {
    static let page = "read_page"

    /// Unnamed, the planning of `read_page` costs more than its reading.
    static func prepare(on connection: PostgresConnection) throws(PostgresError) {
        try connection.prepare(
            page,
            """
            SELECT earliest, latest, purged_below, off, ts, payload, key, event_id, attributes
            FROM sluice.read_page($1::text, $2::int, $3::bigint, $4::int, $5::bigint)
            """)
    }

    /// A page behind an offset; `nil` when there is no such topic.
    static func page(
        of topicID: Int32, after: Offset, events: Int, bytes: Int, in incarnation: String,
        on connection: PostgresConnection
    ) throws(PostgresError) -> TopicPage? {
        let result = try connection.execute(
            page,
            [
                .text(incarnation), .int4(topicID), .int8(after), .int4(Int32(clamping: events)),
                .int8(Int64(bytes)),
            ], timeout: LogContext.controlTimeout)
        guard result.rowCount > 0 else { return nil }
        var page = TopicPage(
            earliest: result.int8(0, 0), latest: result.int8(0, 1),
            purgedBelow: result.int8(0, 2), events: [])
        guard !result.isNull(0, 3) else { return page }
        page.events.reserveCapacity(result.rowCount)
        for row in 0..<result.rowCount { page.events.append(event(in: result, row)) }
        return page
    }

    private static func event(in result: PostgresResult, _ row: Int) -> Event {
        Event(
            offset: result.int8(row, 3), time: Timestamp(microseconds: result.timestamp(row, 4)),
            content: NewEvent(
                data: result.bytes(row, 5), key: result.isNull(row, 6) ? nil : result.text(row, 6),
                eventID: result.isNull(row, 7) ? nil : result.text(row, 7),
                attributes: result.isNull(row, 8) ? nil : result.bytes(row, 8)))
    }

    /// Topics asked for by one statement, so that none comes near `controlTimeout`.
    static let topicsMax = 5000

    /// Both ends of topics; those that do not exist are left out.
    static func ends(
        of topicIDs: [Int32], in incarnation: String, on connection: PostgresConnection
    ) throws(PostgresError) -> [TopicEnds] {
        var ends: [TopicEnds] = []
        var start = 0
        while start < topicIDs.count {
            let slice = Array(topicIDs[start..<min(start + topicsMax, topicIDs.count)])
            start += topicsMax
            let result = try connection.query(
                "SELECT topic_id, earliest, latest FROM sluice.heads($1::text, $2::int[])",
                [.text(incarnation), .int4Array(slice)], timeout: LogContext.controlTimeout)
            for row in 0..<result.rowCount {
                ends.append(
                    TopicEnds(
                        topicID: result.int4(row, 0), earliest: result.int8(row, 1),
                        latest: result.int8(row, 2)))
            }
        }
        return ends
    }
}
