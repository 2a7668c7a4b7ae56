internal import EventModel
internal import PostgresBridge

/// Reads topics with their settings, as users see them.
enum TopicDescribing {
    /// Bytes below the earliest offset: of the row before it, which may be there still, or as the
    /// tail says.
    private static let columns = """
        t.topic_id, t.name::text, t.ephemeral,
        (extract(epoch FROM t.retain_age) * 1000000)::bigint, t.retain_count, t.retain_bytes,
        t.event_bytes, t.description, t.revision, t.created_at, e.earliest, e.latest,
        coalesce((SELECT cum FROM sluice.head(t.topic_id)), 0) - coalesce(
          (SELECT cum FROM sluice.events v
           WHERE v.topic_id = t.topic_id AND v.off = e.earliest - 1),
          (SELECT cum FROM sluice.tail(t.topic_id)), 0),
        t.overflow[1], (extract(epoch FROM s.default_retain_age) * 1000000)::bigint,
        s.default_retain_count, s.default_retain_bytes, s.event_bytes
        """

    /// At most `count` topics whose names match one of the patterns, by name, behind another name.
    static func topics(
        matching patterns: [TopicPattern], after: TopicName?, count: Int, in incarnation: String,
        on connection: PostgresConnection
    ) throws(PostgresError) -> [TopicDescription] {
        let result = try connection.query(
            """
            SELECT \(columns) FROM (
              SELECT * FROM sluice.topics
              WHERE deleted_at IS NULL AND name > $2::text AND name ~ ANY ($3::text[])
              ORDER BY name LIMIT $4::int) t
            CROSS JOIN LATERAL sluice.ends($1::text, t.topic_id) e CROSS JOIN sluice.settings s
            ORDER BY t.name
            """,
            [
                .text(incarnation), .text(after?.text ?? ""),
                .textArray(patterns.map(expression)),
                .int4(Int32(clamping: count)),
            ], timeout: LogContext.controlTimeout)
        return (0..<result.rowCount).compactMap { topic(in: result, $0, incarnation) }
    }

    static func topic(
        _ name: TopicName, in incarnation: String, on connection: PostgresConnection
    ) throws(PostgresError) -> TopicDescription? {
        let result = try connection.query(
            """
            SELECT \(columns) FROM sluice.topics t
            CROSS JOIN LATERAL sluice.ends($1::text, t.topic_id) e CROSS JOIN sluice.settings s
            WHERE t.deleted_at IS NULL AND t.name = $2::text
            """, [.text(incarnation), .text(name.text)], timeout: LogContext.controlTimeout)
        return result.rowCount == 0 ? nil : topic(in: result, 0, incarnation)
    }

    /// Names and patterns hold nothing that a regular expression reads otherwise, but dots and
    /// wildcards; one that begins with a wildcard matches none of the broker's own topics.
    static func expression(for pattern: TopicPattern) -> String {
        let segments = pattern.text.split(separator: ".").map { segment in
            switch segment {
            case "*": "[^.]+"
            case ">": ".+"
            default: String(segment)
            }
        }
        let isWild = pattern.text.hasPrefix("*") || pattern.text.hasPrefix(">")
        return (isWild ? "^(?!sluice[.])" : "^") + segments.joined(separator: "[.]") + "$"
    }

    private static func topic(
        in result: PostgresResult, _ row: Int, _ incarnation: String
    ) -> TopicDescription? {
        guard let name = try? TopicName(result.text(row, 1)) else { return nil }
        var settings = TopicSettings()
        settings.isDurable = !result.bool(row, 2)
        settings.retainAge = retention(result, row, 3, unlimited: -1_000_000) {
            .microseconds($0)
        }
        settings.retainCount = retention(result, row, 4, unlimited: -1) { $0 }
        settings.retainBytes = retention(result, row, 5, unlimited: -1) { $0 }
        settings.eventBytesMax = result.isNull(row, 6) ? nil : Int(result.int8(row, 6))
        settings.overflow =
            result.isNull(row, 13) ? nil : OverflowPolicy(rawValue: result.text(row, 13))
        settings.description = result.text(row, 7)
        var defaults = TopicDefaults()
        defaults.retainAge = result.isNull(row, 14) ? nil : .microseconds(result.int8(row, 14))
        defaults.retainCount = result.isNull(row, 15) ? nil : result.int8(row, 15)
        defaults.retainBytes = result.isNull(row, 16) ? nil : result.int8(row, 16)
        defaults.eventBytesMax = Int(result.int8(row, 17))
        let epoch = Epoch(incarnation: incarnation, topicID: result.int4(row, 0))
        return TopicDescription(
            position: TopicPosition(
                topic: name, epoch: epoch, earliest: result.int8(row, 10),
                latest: result.int8(row, 11), isEphemeral: !settings.isDurable),
            settings: settings, defaults: defaults, revision: Int(result.int4(row, 8)),
            bytes: max(0, result.int8(row, 12)),
            created: Timestamp(microseconds: result.timestamp(row, 9)))
    }

    private static func retention<Value>(
        _ result: PostgresResult, _ row: Int, _ column: Int, unlimited: Int64,
        _ value: (Int64) -> Value
    ) -> Retention<Value> {
        if result.isNull(row, column) { return .default }
        let stored = result.int8(row, column)
        return stored == unlimited ? .unlimited : .limited(value(stored))
    }
}
