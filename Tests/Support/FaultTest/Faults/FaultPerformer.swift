internal import Glibc
internal import NetworkFaults
internal import PostgresCluster
internal import PostgresBridge
internal import RepeatableChance

/// Does what a schedule says, and says so.
///
/// Blocks; on a thread of its own.
struct FaultPerformer {
    let scene: Scene
    let diary: Diary

    /// Roles of a broker's connections, as `pg_stat_activity` shows them.
    private static let roles = [
        "append", "follower", "reader", "announcer", "topics", "tokens", "housekeeper",
    ]

    func perform(_ schedule: FaultSchedule, until deadline: ContinuousClock.Instant) {
        let began = ContinuousClock.now
        for moment in schedule.moments {
            sleep(until: min(began + moment.at, deadline))
            guard ContinuousClock.now < deadline else { return }
            perform(moment.faults)
        }
    }

    private func perform(_ faults: [Fault]) {
        let start = ContinuousClock.now
        var ends: [(at: ContinuousClock.Instant, end: () -> Void)] = []
        for fault in faults {
            diary.note("\(fault)")
            do {
                let end = try begin(fault)
                ends.append((start + fault.lasting, end))
            } catch {
                diary.note("  … could not be done: \(error)")
            }
        }
        for (at, end) in ends.sorted(by: { $0.at < $1.at }) {
            sleep(until: at)
            end()
        }
    }

    private func sleep(until instant: ContinuousClock.Instant) {
        let wait = instant - .now
        if wait > .zero { usleep(UInt32(wait / .microseconds(1))) }
    }

    /// - Returns: What ends it.
    private func begin(_ fault: Fault) throws -> () -> Void {
        let node = scene.nodes[fault.broker]
        switch fault.kind {
        case .brokerKilled:
            node.kill()
            return { node.rise() }
        case .brokerStopped:
            node.stop()
            return { node.rise() }
        case .brokerFrozen:
            node.freeze()
            return { node.thaw() }
        case .brokersKilled:
            for node in scene.nodes { node.kill() }
            return { for node in scene.nodes { node.rise() } }
        case .clientsCut:
            node.clients.cut()
            return {}
        case .clientsStalled:
            node.clients.stall(true)
            return { node.clients.stall(false) }
        case .clientsSwallowed:
            node.clients.swallow()
            return {}
        case .databaseCut:
            node.database.cut()
            return {}
        case .databaseSwallowed:
            node.database.deafen(true)
            node.database.swallow()
            return { node.database.deafen(false) }
        case .listenSwallowed:
            node.database.swallow("follower")
            return {}
        case .postgresKilled, .postgresFrozen, .appendFrozen, .backendsEnded, .topicLocked,
            .snapshotHeld, .diskFull:
            return try beginInDatabase(fault)
        }
    }

    private func beginInDatabase(_ fault: Fault) throws -> () -> Void {
        var chance = SeededGenerator(seed: fault.salt)
        let role = "sluice n\(fault.broker + 1)"
        switch fault.kind {
        case .postgresKilled:
            try scene.cluster.killServer()
            return { attempt("restart PostgreSQL") { try scene.cluster.restart() } }
        case .postgresFrozen:
            try scene.cluster.freeze(true)
            return { attempt("thaw PostgreSQL") { try scene.cluster.freeze(false) } }
        case .appendFrozen:
            let found = try ask(
                "SELECT pid FROM pg_stat_activity WHERE application_name = '\(role) append'")
            let pids = (0..<found.rowCount).map { found.int4($0, 0) }
            for pid in pids { kill(pid, SIGSTOP) }
            return { for pid in pids { kill(pid, SIGCONT) } }
        case .backendsEnded:
            let part = "\(role) \(chance.pick(Self.roles))"
            let found = try ask(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = '\(part)'
                """)
            diary.note("  … \(found.rowCount) of \(part)")
            return {}
        case .topicLocked:
            let connection = try scene.connect()
            try connection.script(
                """
                BEGIN; SELECT pg_advisory_xact_lock(4740, topic_id) FROM sluice.topics
                WHERE deleted_at IS NULL ORDER BY random() LIMIT 1
                """)
            return { connection.close() }
        case .snapshotHeld:
            let connection = try scene.connect()
            try connection.script(
                "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM sluice.topics")
            return { connection.close() }
        case .diskFull:
            let room = chance.chance(60) ? 0 : chance.pick(1...256) << 10
            guard scene.fillDisk(leaving: room) else { throw SceneFailure("cannot remount") }
            return {
                attempt("empty the disk") {
                    guard scene.fillDisk(leaving: nil) else { throw SceneFailure("remount") }
                }
            }
        default: preconditionFailure("bug: \(fault) is not one of the database's")
        }
    }

    private func ask(_ sql: String) throws -> PostgresResult {
        let connection = try scene.connect()
        defer { connection.close() }
        return try connection.query(sql, timeout: .seconds(5))
    }

    private func attempt(_ what: String, _ body: () throws -> Void) {
        for _ in 1...20 {
            do { return try body() } catch { diary.note("  … cannot \(what): \(error)") }
            usleep(500_000)
        }
        diary.violated("cannot \(what)")
    }
}
