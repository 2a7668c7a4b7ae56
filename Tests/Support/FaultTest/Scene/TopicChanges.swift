internal import Glibc
internal import NIOHTTP1
internal import PostgresBridge
internal import RepeatableChance
internal import SluiceClient
internal import Transport

/// Creates, alters, deletes and purges topics now and then, over HTTP or by SQL; publishers create
/// deleted ones again.
struct TopicChanges {
    private enum Command: CaseIterable {
        case replace, patch, delete, purge
    }

    private enum Condition {
        case none, current, stale
    }

    let scene: Scene
    let diary: Diary
    /// Those that may go.
    let topics: [String]
    /// One that only keeps more or less than before.
    let bounded: String
    var chance: SeededGenerator

    /// One change; what can't be done now is left.
    mutating func change() async {
        if chance.chance(25) {
            let topic = chance.pick(topics)
            let (isDelete, depth) = (chance.chance(40), chance.pick(0...50))
            await onThread { [self] in changeBySQL(topic, isDelete: isDelete, depth: depth) }
        } else if chance.chance(15) {
            await change(bounded, .patch)
        } else {
            await change(chance.pick(topics), chance.pick(Command.allCases))
        }
    }

    private func changeBySQL(_ topic: String, isDelete: Bool, depth: Int) {
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
            if done.rowCount > 0 { changed("\(topic) \(isDelete ? "deleted" : "purged") by SQL") }
        } catch {
            diary.note("\(topic) could not be changed by SQL: \(error)")
        }
    }

    // MARK: Over HTTP

    private mutating func change(_ topic: String, _ command: Command) async {
        let condition: Condition =
            chance.chance(50) ? .none : chance.chance(70) ? .current : .stale
        let door = chance.pick(scene.doors)
        var connection: HTTPClientConnection?
        do {
            let path = "/v1/topics/\(topic)"
            let (seen, topicNow) = try await door.ask(.GET, path, over: &connection)
            var headers: HTTPHeaders = [:]
            let revision = seen.headers.first(name: "ETag")
            switch condition {
            case .none: break
            case .current: headers.add(name: "If-Match", value: revision ?? "\"1\"")
            case .stale: headers.add(name: "If-Match", value: "\"1000000\"")
            }
            let latest = topicNow.integer("latest") ?? 0
            let (method, uri, body) = request(command, path, topic, latest: latest)
            if !body.isEmpty {
                headers.add(
                    name: "Content-Type",
                    value: command == .patch ? "application/merge-patch+json" : "application/json")
            }
            let (head, fields) = try await door.ask(
                method, uri, headers: headers, body: Array(body.utf8), over: &connection)
            judge(topic, command, condition, head.status.code, fields)
        } catch {
            diary.note("\(topic): \(command) was not answered: \(error)")
        }
    }

    private mutating func request(
        _ command: Command, _ path: String, _ topic: String, latest: Int64
    ) -> (HTTPMethod, String, String) {
        switch command {
        case .replace:
            let count = chance.chance(50) ? "null" : "\(chance.pick(50...500))"
            return (.PUT, path, #"{"retain":{"count":\#(count)},"description":"replaced"}"#)
        case .patch where topic == bounded:
            return (.PATCH, path, #"{"retain":{"count":\#(chance.pick(100...300))}}"#)
        case .patch:
            return (.PATCH, path, #"{"description":"patched \#(chance.pick(1...1000))"}"#)
        case .delete: return (.DELETE, path, "")
        case .purge:
            let before = max(1, latest - Int64(chance.pick(0...50)))
            return (.DELETE, "\(path)/events?before=\(before)", "")
        }
    }

    /// Holds an answer against what was asked (doc:HTTP).
    private func judge(
        _ topic: String, _ command: Command, _ condition: Condition, _ status: UInt,
        _ answer: JSONFields
    ) {
        let code = answer.text("code") ?? "no code"
        switch status {
        case 200, 201:
            if condition == .stale {
                diary.violated("\(command) of \(topic) was done in spite of a stale revision")
            }
            if status == 201, command != .replace || condition != .none {
                diary.violated("\(command) of \(topic) created it")
            }
            if answer.text("topic") != topic {
                diary.violated("\(command) of \(topic) was answered with another topic")
            }
            changed("\(topic): \(command)\(condition == .current ? ", at its revision" : "")")
        case 412 where code == "revision_moved" && condition != .none: break
        case 404 where code == "topic_not_found": break
        default:
            guard PublisherPlan.excuses.contains(code) else {
                return diary.violated("\(command) of \(topic) was answered \(status) \(code)")
            }
        }
    }

    private func changed(_ words: String) {
        diary.note(words)
        diary.change { $0.topicChanged() }
    }
}
