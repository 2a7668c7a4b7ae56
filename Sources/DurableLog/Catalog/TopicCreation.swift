internal import EventModel
internal import PostgresBridge

/// Creates one topic with its settings, in one transaction.
enum TopicCreation {
    /// - Returns: `nil` when there is a topic of the name.
    static func create(
        _ name: TopicName, _ settings: TopicSettings, in incarnation: String,
        on connection: PostgresConnection
    ) throws(PostgresError) -> TopicDescription? {
        _ = try connection.query("BEGIN")
        do throws(PostgresError) {
            guard let created = try createInTransaction(name, settings, incarnation, connection)
            else {
                _ = try connection.query("ROLLBACK")
                return nil
            }
            _ = try connection.query("COMMIT", timeout: LogContext.controlTimeout)
            return created
        } catch {
            if error.kind == .query { _ = try connection.query("ROLLBACK") }
            throw error
        }
    }

    private static func createInTransaction(
        _ name: TopicName, _ settings: TopicSettings, _ incarnation: String,
        _ connection: PostgresConnection
    ) throws(PostgresError) -> TopicDescription? {
        // Takes the catalog's lock: nobody else creates the name between the question and the
        // answer.
        _ = try connection.query(
            "SELECT sluice.next_version() WHERE \(CatalogReading.inIncarnation)",
            [.text(incarnation)], timeout: LogContext.controlTimeout)
        guard try TopicDescribing.topic(name, in: incarnation, on: connection) == nil else {
            return nil
        }
        let created = try connection.query(
            "SELECT topic_id FROM sluice.create_topics($1::text[], $2::boolean)",
            [.textArray([name.text]), .bool(!settings.isDurable)])
        let changes = changes(settings)
        if let changes {
            _ = try connection.query(
                "SELECT sluice.alter_topic($1::int, $2::text::jsonb)",
                [.int4(created.int4(0, 0)), .text(changes)])
        }
        return try TopicDescribing.topic(name, in: incarnation, on: connection)
    }

    /// What differs from the defaults, as `sluice.alter_topic` takes it; `nil` if nothing does.
    static func changes(_ settings: TopicSettings) -> String? {
        var json = JSONWriter()
        var isFirst = true
        func member(_ name: StaticString, _ json: inout JSONWriter) {
            json.raw(isFirst ? "{\"" : ",\"")
            json.raw(name)
            json.raw("\":")
            isFirst = false
        }
        func number(_ name: StaticString, _ value: Retention<Int64>, _ json: inout JSONWriter) {
            switch value {
            case .default: return
            case .unlimited:
                member(name, &json)
                json.raw("\"unlimited\"")
            case .limited(let value):
                member(name, &json)
                json.integer(value)
            }
        }
        switch settings.retainAge {
        case .default: break
        case .unlimited:
            member("retain_age", &json)
            json.raw("\"unlimited\"")
        case .limited(let age):
            member("retain_age", &json)
            json.string(interval(age))
        }
        number("retain_count", settings.retainCount, &json)
        number("retain_bytes", settings.retainBytes, &json)
        if let eventBytesMax = settings.eventBytesMax {
            member("event_bytes", &json)
            json.integer(eventBytesMax)
        }
        if !settings.description.isEmpty {
            member("description", &json)
            json.string(settings.description)
        }
        guard !isFirst else { return nil }
        json.raw("}")
        return String(decoding: json.bytes, as: UTF8.self)
    }

    /// PostgreSQL's `hours:minutes:seconds`: its days are not of 24 hours everywhere, and before
    /// version 15 it takes no more than 2^31 of one unit.
    static func interval(_ duration: Duration) -> String {
        let (seconds, fraction) = duration.components
        let micros = fraction / 1_000_000_000_000
        let digits = String(1_000_000 + micros).dropFirst()
        return "\(seconds / 3600):\(seconds / 60 % 60):\(seconds % 60).\(digits)"
    }
}
