internal import Glibc
internal import NetworkFaults
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
        var began = ContinuousClock.now
        for moment in schedule.moments {
            sleep(until: min(began + moment.at, deadline))
            guard ContinuousClock.now < deadline else { return }
            let start = ContinuousClock.now
            perform(moment.faults)
            // What took longer, as a failover does, takes nothing from the calm behind it.
            let longest = moment.faults.map(\.lasting).max() ?? .zero
            began += max(.zero, ContinuousClock.now - start - longest)
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
                diary.performed(fault.kind)
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
            for host in node.database { host.cut() }
            return {}
        case .databaseSwallowed:
            for host in node.database {
                host.deafen(true)
                host.swallow()
            }
            return { for host in node.database { host.deafen(false) } }
        case .listenSwallowed:
            for host in node.database { host.swallow("follower") }
            return {}
        case .postgresKilled, .postgresFrozen, .standbyFrozen, .failover, .failoverWithDecoy,
            .clockSetBack, .diskFull:
            return try beginWithServers(fault)
        case .appendFrozen, .backendsEnded, .topicLocked, .snapshotHeld:
            return try beginInDatabase(fault)
        }
    }

    private func beginInDatabase(_ fault: Fault) throws -> () -> Void {
        var chance = SeededGenerator(seed: fault.salt)
        let role = "sluice n\(fault.broker + 1)"
        switch fault.kind {
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
            // Who has the lock may wait for a standby that only this thread can thaw.
            try connection.script(
                """
                BEGIN; SET LOCAL lock_timeout = '1s'; SELECT pg_advisory_xact_lock(4740, topic_id) FROM sluice.topics
                WHERE deleted_at IS NULL ORDER BY random() LIMIT 1
                """)
            return { connection.close() }
        case .snapshotHeld:
            let connection = try scene.connect()
            try connection.script(
                "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM sluice.topics")
            return { connection.close() }
        default: preconditionFailure("bug: \(fault) is not one of the database's")
        }
    }

    private func beginWithServers(_ fault: Fault) throws -> () -> Void {
        var chance = SeededGenerator(seed: fault.salt)
        let database = scene.database
        switch fault.kind {
        case .postgresKilled:
            let primary = database.primary
            primary.kill()
            return { attempt("restart PostgreSQL") { try primary.start() } }
        case .postgresFrozen, .standbyFrozen:
            let server = fault.kind == .standbyFrozen ? database.standby : database.primary
            server.freeze(true)
            return { server.freeze(false) }
        case .failover, .failoverWithDecoy:
            return try Failover(
                scene: scene, hasDecoy: fault.kind == .failoverWithDecoy,
                isWaiting: chance.chance(50), isRewound: chance.chance(50)
            ).begin()
        case .clockSetBack:
            // From 30 s on, brokers begin another incarnation; a mark's margin is 60 s (doc:Log).
            let seconds = chance.pick(chance.chance(60) ? 35...55 : 1...25)
            diary.note("  … by \(seconds) s")
            database.clock?.step(to: -seconds)
            return { database.clock?.step(to: 0) }
        case .diskFull:
            let room = chance.chance(60) ? 0 : chance.pick(1...256) << 10
            let empty = try database.fillDisk(leaving: room)
            return {
                attempt("empty the disk", empty)
                attempt("revive PostgreSQL") {
                    let revived = try database.revive()
                    if !revived.isEmpty { diary.note("  … \(revived) had ended") }
                }
            }
        default: preconditionFailure("bug: \(fault) is not one of the servers'")
        }
    }

    private func ask(_ sql: String) throws -> PostgresResult {
        let connection = try scene.connect()
        defer { connection.close() }
        return try connection.query(sql, timeout: .seconds(5))
    }

    private func attempt(_ what: String, _ body: () throws -> Void) {
        diary.attempt(what, body)
    }
}
