internal import Glibc
internal import PostgresBridge

/// The primary dies and stays dead; the standby takes over, and the old primary becomes its standby.
///
/// Before it, the standby has all that the primary has: what is lost then is the broker's fault.
struct Failover {
    let scene: Scene
    /// The old primary comes back first and can be written to: who has seen the new one may not take
    /// it for the log.
    let hasDecoy: Bool
    /// Nothing is committed before there is a standby again.
    let isWaiting: Bool
    /// The old primary is made a standby by pg_rewind, not by a fresh copy.
    let isRewound: Bool

    private var database: ServerPair { scene.database }
    private var diary: Diary { scene.diary }

    /// Ends the primary.
    ///
    /// - Returns: All the rest.
    func begin() throws -> () -> Void {
        try database.awaitStandby()
        database.primary.die()
        return end
    }

    private func end() {
        let (old, heir) = (database.primary, database.standby)
        // Where commits wait, nobody could see that the new primary is the log.
        let isWaiting = isWaiting && !hasDecoy
        diary.attempt("promote the standby") { try database.promote(heir, isWaiting: isWaiting) }
        diary.note("  … \(database.primary.name) took over\(isWaiting ? ", waiting" : "")")
        if hasDecoy, isKnown(heir) { diary.attempt("show a decoy") { try show(old) } }
        diary.attempt("make a standby of \(old.name)") {
            old.stop()
            if let obstacle = try database.rejoin(isRewound: isRewound) {
                diary.note("  … not rewound: \(obstacle)")
            }
        }
        diary.note("  … \(old.name) is the standby, \(isRewound ? "rewound" : "copied")")
    }

    /// Waits until both brokers have taken the new primary for the log.
    private func isKnown(_ heir: PairServer) -> Bool {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            if let connection = try? heir.connect(ServerPair.database) {
                defer { connection.close() }
                let answer = try? connection.query(
                    """
                    SELECT count(DISTINCT application_name) FROM pg_stat_activity
                    WHERE application_name ~ '^sluice n[12] append$'
                      AND backend_start < clock_timestamp() - interval '0.5 s'
                    """, timeout: .seconds(5))
                if answer?.int8(0, 0) == 2 { return true }
            }
            usleep(50_000)
        }
        diary.note("  … no decoy: the brokers do not know \(heir.name) after 10 s")
        return false
    }

    /// Brings the old primary back, and makes the brokers look for the log anew.
    private func show(_ old: PairServer) throws {
        try old.start("synchronous_standby_names=")
        let before = try events(on: old)
        let connection = try database.primary.connect()
        defer { connection.close() }
        _ = try connection.query(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name LIKE 'sluice %'
            """, timeout: .seconds(5))
        usleep(2_000_000)
        let written = try events(on: old) - before
        if written != 0 { diary.violated("the old primary \(old.name) got \(written) events") }
        old.stop()
    }

    private func events(on server: PairServer) throws -> Int64 {
        let connection = try server.connect(ServerPair.database)
        defer { connection.close() }
        return try connection.query(
            "SELECT coalesce(sum(latest), 0)::bigint FROM sluice.topics, sluice.span(topic_id)",
            timeout: .seconds(20)
        ).int8(0, 0)
    }
}
