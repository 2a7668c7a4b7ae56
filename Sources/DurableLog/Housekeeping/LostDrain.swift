internal import EventModel
internal import PostgresBridge

/// Finds what a drain appended whose answer was lost with its connection: retention has to look at
/// those topics, and nobody else says so.
///
/// It outlives connections.
struct LostDrain {
    /// Rows of the journal that one question reads.
    private static let rowsMax: Int32 = 1000

    private let context: LogContext
    private var incarnation = ""
    /// Of the drain's newest row that is accounted for.
    private var lastSeq: Int64 = -1
    private var isOpen = false

    init(_ context: LogContext) { self.context = context }

    mutating func asked() { isOpen = true }

    /// `lastSeq`: Of the newest row that this connection's drains wrote.
    mutating func answered(_ lastSeq: Int64) {
        isOpen = false
        self.lastSeq = max(self.lastSeq, lastSeq)
    }

    /// Over a new connection; other nodes' drains since may be found, too, which does no harm.
    mutating func find(
        in incarnation: String, on connection: PostgresConnection
    ) throws(PostgresError) {
        // Numbers of another incarnation may have been given again.
        if incarnation != self.incarnation { lastSeq = -1 }
        self.incarnation = incarnation
        while isOpen {
            let result = try connection.query(
                """
                SELECT seq, coalesce(parts, '') FROM sluice.batches
                WHERE writer = 0 AND seq > $1::bigint ORDER BY seq LIMIT $2::int
                """, [.int8(lastSeq), .int4(Self.rowsMax)],
                timeout: LogContext.controlTimeout)
            for row in 0..<result.rowCount {
                let parts = JournalPart.parse(result.text(row, 1)) ?? []
                context.appendedTopics.insert(parts.map(\.topicID))
                lastSeq = result.int8(row, 0)
            }
            isOpen = result.rowCount == Int(Self.rowsMax)
        }
    }
}
