internal import PostgresBridge
internal import Synchronization

/// The life of the log that this node believes in, shared by its connections (doc:Log,
/// "Incarnations").
///
/// Each connection enters it when it begins; the server tells which incarnation is in force and
/// refuses to be an old primary.
final class LogIncarnation: Sendable {
    private struct State {
        var current: String?
        /// Every incarnation that this node has seen: a server that does not know them all is
        /// stale.
        var seen: [String] = []
        var system: Int64?
        var timeline: Int32?
    }

    private let state = Mutex(State())

    /// Asks the server for its incarnation and makes it this node's.
    ///
    /// - Throws: SL002 for a stale primary, SL003 for a standby: close the connection and try again
    ///   later.
    func enter(_ connection: PostgresConnection) throws(PostgresError) -> String {
        let before = state.withLock { $0 }
        let result = try connection.query(
            """
            SELECT incarnation, system, timeline
            FROM sluice.incarnation($1::text[], $2::bigint, $3::int)
            """,
            [
                .textArray(before.seen),
                before.system.map { .int8($0) } ?? .null,
                before.timeline.map { .int4($0) } ?? .null,
            ], timeout: LogContext.controlTimeout)
        let incarnation = result.text(0, 0)
        state.withLock { state in
            // What was entered meanwhile, on a newer connection, is not overwritten by an old
            // answer.
            guard !state.seen.contains(incarnation) || state.current == before.current else {
                return
            }
            if !state.seen.contains(incarnation) { state.seen.append(incarnation) }
            state.current = incarnation
            state.system = result.int8(0, 1)
            state.timeline = result.int4(0, 2)
        }
        return incarnation
    }

    /// No other incarnation was entered since; `nil` for a connection that has none yet.
    func isStill(_ incarnation: String?) -> Bool { incarnation == nil || incarnation == current }

    /// The incarnation that was entered last.
    var current: String? { state.withLock { $0.current } }
}
