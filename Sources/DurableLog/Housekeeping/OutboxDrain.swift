internal import EventModel
internal import Logging
internal import PostgresBridge

/// Moves what SQL publishers committed into the log, and announces it.
///
/// Polls each 10 to 15 ms: faster while events come. The pause is what an event waits for, and what
/// an idle node costs (doc:Figures).
struct OutboxDrain {
    private static let pauseMin = Duration.milliseconds(10)
    private static let pauseMax = Duration.milliseconds(15)
    /// After a step that failed.
    private static let pauseOfFailure = Duration.milliseconds(100)
    /// What `publish(…, wake => true)` notifies.
    static let wakeChannel = "sluice_outbox"
    private static let statement = "drain"

    private let incarnation: String
    private let context: LogContext
    /// What `sluice.drain` returned last: from where it looks on.
    private var state: String?
    /// Of the journal's newest row that a step wrote; 0 before the first.
    private(set) var lastSeq: Int64 = 0
    /// Until the next step.
    private(set) var pause = pauseMin

    init(incarnation: String, _ context: LogContext) {
        self.incarnation = incarnation
        self.context = context
    }

    static func prepare(on connection: PostgresConnection) throws(PostgresError) {
        try connection.prepare(
            statement,
            "SELECT state, moved, dead, more, seq, parts FROM sluice.drain($1::text, $2::text)")
    }

    mutating func step(on connection: PostgresConnection) throws(PostgresError) {
        let result = try keeping("drain", context) { () throws(PostgresError) in
            try connection.execute(
                Self.statement, [.text(incarnation), state.map { .text($0) } ?? .null])
        }
        guard let result else {
            pause = Self.pauseOfFailure
            return
        }
        state = result.isNull(0, 0) ? nil : result.text(0, 0)
        let moved = result.int8(0, 1)
        let dead = result.int8(0, 2)
        if dead > 0 {
            context.logger.warning(
                "events of SQL publishers were refused",
                metadata: ["count": "\(dead)", "remedy": "See 'sluice outbox list'."])
        }
        if !result.isNull(0, 4), !result.isNull(0, 5) {
            try announce(seq: result.int8(0, 4), parts: result.text(0, 5), on: connection)
        }
        if result.bool(0, 3) {
            pause = .zero
        } else {
            pause = moved > 0 ? Self.pauseMin : min(max(pause, Self.pauseMin) * 2, Self.pauseMax)
        }
    }

    /// The drain appends as writer 0.
    private mutating func announce(
        seq: Int64, parts: String, on connection: PostgresConnection
    ) throws(PostgresError) {
        var heads: [Int32: Offset] = [:]
        lastSeq = seq
        for part in JournalPart.parse(parts) ?? [] { heads[part.topicID] = part.last }
        context.appendedTopics.insert(heads.keys)
        let announce = JournalAnnounce(
            incarnation: incarnation, writer: 0, seq: seq, heads: heads)
        for payload in announce.payloads() {
            _ = try keeping("announce", context) { () throws(PostgresError) in
                try connection.query(JournalAnnounce.notify, [.text(payload)])
            }
        }
    }
}
