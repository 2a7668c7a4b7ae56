internal import Glibc
internal import PostgresBridge
internal import RepeatableChance

/// Publishes with `sluice.publish` in transactions of a user's, some of which roll back, and some
/// of which stay open for a while.
struct SQLPublisher {
    let id: UInt16
    let plan: PublisherPlan
    /// Of the primary of that moment.
    let conninfo: @Sendable () -> String
    var chance: SeededGenerator
    private var number: Int64 = 0

    init(
        id: UInt16, plan: PublisherPlan, conninfo: @escaping @Sendable () -> String,
        chance: SeededGenerator
    ) {
        self.id = id
        self.plan = plan
        self.conninfo = conninfo
        self.chance = chance
    }

    /// Blocks until the plan ends.
    mutating func run() {
        while !plan.isStopped {
            guard
                let connection = try? PostgresConnection(
                    PostgresConfiguration(
                        conninfo: conninfo(), applicationName: "user \(id)", connectTimeout: 3))
            else {
                usleep(200_000)
                continue
            }
            while !plan.isStopped, transact(on: connection) {
                usleep(UInt32(plan.pause(&chance) / .microseconds(1)))
            }
            connection.close()
        }
    }

    /// - Returns: Whether the connection can be used further.
    private mutating func transact(on connection: PostgresConnection) -> Bool {
        var tags: [EventTag] = []
        var isEnding = false
        let isRolledBack = chance.chance(15)
        do throws(PostgresError) {
            try connection.script("BEGIN")
            for _ in 1...chance.pick(1...5) {
                number += 1
                let tag = EventTag(topic: chance.pick(plan.topics), publisher: id, number: number)
                tags.append(tag)
                _ = try connection.query(
                    "SELECT sluice.publish($1, $2::json, wake => $3)",
                    [.text(tag.topic), .json(tag.data()), .bool(chance.chance(20))],
                    timeout: .seconds(60))
            }
            if chance.chance(2) { usleep(UInt32(chance.pick(500_000...3_000_000))) }
            isEnding = !isRolledBack
            try connection.script(isRolledBack ? "ROLLBACK" : "COMMIT")
            note(tags, areCommitted: !isRolledBack)
            return true
        } catch {
            // Whether a COMMIT came to pass whose answer is missing, the log will tell.
            if !isEnding || error.kind == .query { note(tags, areCommitted: false) }
            return false
        }
    }

    private func note(_ tags: [EventTag], areCommitted: Bool) {
        plan.diary.change { ledger in
            for tag in tags { areCommitted ? ledger.committed(tag) : ledger.refused(tag) }
        }
    }
}
