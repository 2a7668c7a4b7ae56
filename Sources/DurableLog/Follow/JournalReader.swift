internal import EventModel
internal import PostgresBridge

/// Learns from the journal, announces and the catalog which topics have new heads, and tells the
/// followed topics.
///
/// Confined to the following thread.
struct JournalReader {
    /// Bytes of a page that fills a hole.
    static let holeBytesMax = 4 << 20
    /// Rows of one writer in one poll.
    private static let rowsMax = 1000

    private let context: LogContext
    private let followed: FollowedTopics
    private var positions = JournalPositions()
    private var incarnation = ""

    init(_ context: LogContext, _ followed: FollowedTopics) {
        self.context = context
        self.followed = followed
    }

    /// A new node, or a new connection: where the journal stands now.
    ///
    /// The heads, which are read behind it, tell the rest.
    mutating func begin(
        in incarnation: String, on connection: PostgresConnection
    ) throws(PostgresError) {
        self.incarnation = incarnation
        positions = JournalPositions()
        for (writer, seq) in try newestSeqs(connection) {
            positions.reached(writer: writer, seq: seq)
        }
    }

    /// Forgets the writers that the journal has forgotten.
    mutating func prune(on connection: PostgresConnection) throws(PostgresError) {
        let writers = Set(try newestSeqs(connection).map(\.0))
        positions.keep(writers)
    }

    private func newestSeqs(
        _ connection: PostgresConnection
    ) throws(PostgresError) -> [(Int64, Int64)] {
        let result = try connection.query(
            "SELECT writer, seq FROM sluice.newest_seqs($1::text)", [.text(incarnation)],
            timeout: LogContext.controlTimeout)
        return (0..<result.rowCount).map { (result.int8($0, 0), result.int8($0, 1)) }
    }

    // MARK: Heads

    func heard(
        _ announce: JournalAnnounce, on connection: PostgresConnection
    ) throws(PostgresError) {
        // This node's own events come to the gates by themselves, and may still be on their way.
        guard announce.incarnation == incarnation, !followed.isOwn(announce.writer) else { return }
        try tell(announce.heads.map { ($0.key, $0.value) }, on: connection)
    }

    /// Reads the journal above what is known, and the catalog above its version.
    mutating func poll(on connection: PostgresConnection) throws(PostgresError) {
        for (writer, seq) in followed.settled { positions.reached(writer: writer, seq: seq) }
        var isMore = true
        while isMore { isMore = try pollOnce(connection) }
        try readCatalog(on: connection)
        try readSettings(on: connection)
    }

    private mutating func pollOnce(
        _ connection: PostgresConnection
    ) throws(PostgresError) -> Bool {
        let result = try connection.query(
            """
            SELECT writer, seq, coalesce(parts, '')
            FROM sluice.follow($1::text, $2::bigint[], $3::bigint[], $4::int)
            """,
            [
                .text(incarnation), .int8Array(positions.writers), .int8Array(positions.seqs),
                .int4(Int32(Self.rowsMax)),
            ], timeout: LogContext.controlTimeout)
        var heads: [(Int32, Offset)] = []
        var rows: [Int64: Int] = [:]
        for row in 0..<result.rowCount {
            heads += (JournalPart.parse(result.text(row, 2)) ?? []).map { ($0.topicID, $0.last) }
            rows[result.int8(row, 0), default: 0] += 1
        }
        try tell(heads, on: connection)
        for row in 0..<result.rowCount {
            positions.reached(writer: result.int8(row, 0), seq: result.int8(row, 1))
        }
        return rows.values.contains { $0 >= Self.rowsMax }
    }

    /// A topic that is not known is looked up before its row is used: a pattern must not miss its
    /// first event.
    private func tell(
        _ heads: [(Int32, Offset)], on connection: PostgresConnection
    ) throws(PostgresError) {
        let isKnown = heads.allSatisfy { context.catalog.name(of: $0.0, in: incarnation) != nil }
        if !isKnown { try readCatalog(on: connection) }
        followed.heard(heads, in: incarnation)
    }

    // MARK: The catalog

    func readCatalog(on connection: PostgresConnection) throws(PostgresError) {
        guard let version = context.catalog.version(in: incarnation) else { return }
        let rows = try CatalogReading.rows(above: version, in: incarnation, on: connection)
        guard !rows.isEmpty || version < 0 else { return }
        followed.tell(context.catalog.apply(rows, in: incarnation)) {
            context.catalog.entry(of: $0, in: incarnation)
        }
    }

    /// What the database says for every broker; nothing announces that it changed.
    private func readSettings(on connection: PostgresConnection) throws(PostgresError) {
        let result = try connection.query(
            "SELECT create_topics, event_bytes FROM sluice.settings",
            timeout: LogContext.controlTimeout)
        guard result.rowCount == 1 else { return }
        context.take(
            createsTopics: result.bool(0, 0), eventBytesMax: Int(result.int8(0, 1)))
    }
}
