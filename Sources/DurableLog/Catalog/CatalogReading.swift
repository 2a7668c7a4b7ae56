internal import EventModel
internal import PostgresBridge

/// The statements that read topics by name and by version.
enum CatalogReading {
    /// Every read names the incarnation that it expects, `$1`; another is refused with SL001.
    static let inIncarnation = """
        (EXISTS (SELECT FROM sluice.marker WHERE incarnation = $1 AND born = xmin)
          OR sluice.refuse($1))
        """

    /// Rows above a version, in the order of versions.
    static func rows(
        above version: Int64, in incarnation: String, on connection: PostgresConnection
    ) throws(PostgresError) -> [CatalogRow] {
        let result = try connection.query(
            """
            SELECT topic_id, name::text, ephemeral, deleted_at IS NOT NULL, purged_below, version,
              event_bytes, overflow[1]
            FROM sluice.topics WHERE version > $2 AND \(inIncarnation) ORDER BY version, topic_id
            """, [.text(incarnation), .int8(version)], timeout: LogContext.controlTimeout)
        return (0..<result.rowCount).compactMap { row in
            guard let name = try? TopicName(result.text(row, 1)) else { return nil }
            return CatalogRow(
                name: name,
                entry: entry(in: result, row, eventBytes: 6),
                isDeleted: result.bool(row, 3), purgedBelow: result.int8(row, 4),
                version: result.int8(row, 5))
        }
    }

    /// Topics by name; columns as `entries` reads them.
    static let byName = """
        SELECT topic_id, name::text, ephemeral, event_bytes, overflow[1] FROM sluice.topics
        WHERE name = ANY ($2::text[]) AND deleted_at IS NULL AND \(inIncarnation)
        """

    /// The same, and topics that do not exist are created.
    static let byNameCreating = """
        SELECT topic_id, name::text, ephemeral, event_bytes, overflow[1]
        FROM sluice.create_topics($2::text[])
        WHERE \(inIncarnation)
        """

    static func parameters(_ names: some Sequence<TopicName>, in incarnation: String)
        -> [PostgresParameter]
    {
        [.text(incarnation), .textArray(names.map(\.text))]
    }

    static func entries(in result: PostgresResult) -> [TopicName: CatalogEntry] {
        var entries: [TopicName: CatalogEntry] = [:]
        for row in 0..<result.rowCount {
            guard let name = try? TopicName(result.text(row, 1)) else { continue }
            entries[name] = entry(in: result, row, eventBytes: 3)
        }
        return entries
    }

    /// The columns behind that of `eventBytes` are the others of settings.
    private static func entry(
        in result: PostgresResult, _ row: Int, eventBytes column: Int
    ) -> CatalogEntry {
        CatalogEntry(
            id: result.int4(row, 0), isEphemeral: result.bool(row, 2),
            eventBytesMax: result.isNull(row, column) ? nil : Int(result.int8(row, column)),
            overflow: result.isNull(row, column + 1)
                ? nil : OverflowPolicy(rawValue: result.text(row, column + 1)))
    }
}
