internal import EventModel
internal import PostgresBridge

/// Reads the log itself, past the brokers, and holds it against what was said.
struct LogReader {
    let diary: Diary
    /// Of publishers whose numbers rise in each topic.
    let ordered: Set<UInt16>
    private var readTo: [Life: Offset] = [:]

    init(diary: Diary, ordered: Set<UInt16>) {
        self.diary = diary
        self.ordered = ordered
    }

    private static let pageRows = 2000

    /// Reads what is new since the last time, or, at the end, all that is kept.
    mutating func read(_ connection: PostgresConnection, isAll: Bool = false) throws(PostgresError)
    {
        let gaps = diary.change { $0.openGapCount }
        // One snapshot for the ends and the rows, or retention would come between.
        try connection.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        defer { try? connection.script("ROLLBACK") }
        let topics = try connection.query(
            """
            SELECT t.topic_id, t.name, t.deleted_at IS NOT NULL, coalesce(s.earliest, 1),
                   coalesce(s.latest, 0), t.purged_below
            FROM sluice.topics t LEFT JOIN LATERAL sluice.span(t.topic_id) s ON true
            WHERE NOT t.ephemeral
            """, timeout: .seconds(60))
        for row in 0..<topics.rowCount {
            let life = Life(id: topics.int4(row, 0))
            let ends = Ledger.TopicEnds(
                earliest: topics.int8(row, 3), latest: topics.int8(row, 4),
                purgedBelow: topics.int8(row, 5), isDeleted: topics.bool(row, 2))
            let name = topics.text(row, 1)
            diary.change { $0.found(life, of: name, ends) }
            if ends.isDeleted {
                readTo[life] = nil
            } else {
                try read(life, name, ends, connection, isAll: isAll)
            }
        }
        diary.change { $0.explainGaps(gaps) }
    }

    private mutating func read(
        _ life: Life, _ topic: String, _ ends: Ledger.TopicEnds, _ connection: PostgresConnection,
        isAll: Bool
    ) throws(PostgresError) {
        let known = readTo[life] ?? 0
        var next = isAll ? ends.earliest : max(known + 1, ends.earliest)
        while next <= ends.latest {
            let rows = try connection.query(
                """
                SELECT off, payload::text FROM sluice.events
                WHERE topic_id = $1 AND off >= $2 ORDER BY off LIMIT \(Self.pageRows)
                """, [.int4(life.id), .int8(next)], timeout: .seconds(60))
            let ordered = ordered
            let expected = next
            diary.change { ledger in
                var offset = expected
                for row in 0..<rows.rowCount {
                    while offset < rows.int8(row, 0) {
                        ledger.holeInLog(at: Place(life: life, offset: offset))
                        offset += 1
                    }
                    let place = Place(life: life, offset: offset)
                    if let tag = EventTag(data: rows.bytes(row, 1)) {
                        ledger.read(
                            tag, at: place, isOrdered: ordered.contains(tag.publisher))
                    } else {
                        ledger.violated("the log has strange data at \(place)")
                    }
                    offset += 1
                }
            }
            guard rows.rowCount > 0 else {
                diary.change { $0.holeInLog(at: Place(life: life, offset: expected)) }
                break
            }
            next = rows.int8(rows.rowCount - 1, 0) + 1
        }
        readTo[life] = max(known, ends.latest)
    }
}
