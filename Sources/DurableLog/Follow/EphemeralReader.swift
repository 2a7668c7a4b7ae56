internal import EventModel
internal import PostgresBridge

/// Brings the events of ephemeral topics from LISTEN to the followed topics
/// (doc:AppendAndFollow, "Ephemeral topics").
///
/// Confined to the following thread.
struct EphemeralReader {
    /// Large events that one question reads.
    private static let eventsMax = 16

    private let followed: FollowedTopics
    private let incarnation: String
    /// Every node would hear every event of every topic, so it listens only while one is followed.
    private var isListening = false

    init(_ followed: FollowedTopics, in incarnation: String) {
        self.followed = followed
        self.incarnation = incarnation
    }

    /// Listens if an ephemeral topic is followed; before its head is read, so that nothing falls
    /// between.
    mutating func listenIfNeeded(on connection: PostgresConnection) throws(PostgresError) {
        guard !isListening, followed.hasEphemeral else { return }
        _ = try connection.query(
            "LISTEN \(EphemeralNotice.channel)", timeout: LogContext.controlTimeout)
        isListening = true
    }

    /// Ends listening when no ephemeral topic is followed any more.
    mutating func rest(on connection: PostgresConnection) throws(PostgresError) {
        guard isListening, !followed.hasEphemeral else { return }
        _ = try connection.query(
            "UNLISTEN \(EphemeralNotice.channel)", timeout: LogContext.controlTimeout)
        isListening = false
    }

    /// What was notified, in the order of the commits.
    func heard(
        _ notices: [EphemeralNotice], on connection: PostgresConnection
    ) throws(PostgresError) {
        var wanted = followed.wanted(notices, in: incarnation)
        try readLarge(&wanted, on: connection)
        // A hole is believed when the log has a head behind it: anybody may notify.
        var heads: [Int32: Offset] = [:]
        while let untold = followed.arrived(wanted, in: incarnation, heads: heads) {
            let ends = try PageReading.ends(of: untold.topics, in: incarnation, on: connection)
            for topicID in untold.topics { heads[topicID] = 0 }
            for end in ends { heads[end.topicID] = end.latest }
            wanted = untold.notices
        }
    }

    /// Those that no longer are in the table stay without an event, and become a gap.
    private func readLarge(
        _ notices: inout [EphemeralNotice], on connection: PostgresConnection
    ) throws(PostgresError) {
        let places = notices.indices.filter { notices[$0].event == nil }
        var start = 0
        while start < places.count {
            let some = places[start..<min(start + Self.eventsMax, places.count)]
            start += Self.eventsMax
            let result = try connection.query(
                """
                SELECT asked.place, e.event::text FROM unnest($2::int[], $3::bigint[])
                  WITH ORDINALITY asked(topic_id, off, place)
                JOIN sluice.ephemera e USING (topic_id, off)
                WHERE e.event IS NOT NULL AND \(CatalogReading.inIncarnation)
                """,
                [
                    .text(incarnation), .int4Array(some.map { notices[$0].topicID }),
                    .int8Array(some.map { notices[$0].offset }),
                ], timeout: LogContext.controlTimeout)
            for row in 0..<result.rowCount {
                let place = some[some.startIndex + Int(result.int8(row, 0)) - 1]
                notices[place].event = EphemeralNotice.event(
                    result.bytes(row, 1), offset: notices[place].offset)
            }
        }
    }
}
