internal import Glibc
internal import PostgresBridge
internal import RepeatableChance

/// Deletes and purges topics by SQL, now and then; publishers create them again.
struct TopicChanges {
    let scene: Scene
    let diary: Diary
    /// Those that may go.
    let topics: [String]
    var chance: SeededGenerator

    /// One change; what can't be done now is left.
    mutating func change() {
        let topic = chance.pick(topics)
        let isDelete = chance.chance(40)
        let depth = chance.pick(0...50)
        do throws(PostgresError) {
            let connection = try scene.connect()
            defer { connection.close() }
            let sql =
                isDelete
                ? "SELECT sluice.delete_topic(topic_id)"
                : "SELECT sluice.purge(topic_id, (SELECT latest - \(depth) FROM sluice.span(topic_id)))"
            let done = try connection.query(
                "\(sql) FROM sluice.topics WHERE name = $1 AND deleted_at IS NULL",
                [.text(topic)], timeout: .seconds(10))
            if done.rowCount > 0 { diary.note("\(topic) \(isDelete ? "deleted" : "purged")") }
        } catch {
            diary.note("\(topic) could not be changed: \(error)")
        }
    }
}
