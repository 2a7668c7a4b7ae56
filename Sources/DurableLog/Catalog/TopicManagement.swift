internal import EventModel
internal import PostgresBridge

/// Changes one topic, each time in one transaction under the catalog's lock.
///
/// The lock comes first, so between what is found and what is made of it nobody else changes the
/// topic. Every method throws what another connection, or another time, may mend.
struct TopicManagement {
    typealias Outcome<Value> = Result<Value, BrokerError>

    private let name: TopicName
    private let incarnation: String
    private let connection: PostgresConnection

    init(_ name: TopicName, _ incarnation: String, _ connection: PostgresConnection) {
        self.name = name
        self.incarnation = incarnation
        self.connection = connection
    }

    /// `topic_exists` when there is a topic of the name.
    func create(
        _ settings: TopicSettings
    ) throws(PostgresError) -> Outcome<TopicDescription> {
        try transaction { () throws(PostgresError) in
            guard try described() == nil else {
                return .failure(
                    BrokerError(.topicExists, "There is a topic \(quoted(name.text)) already."))
            }
            let created = try connection.query(
                "SELECT topic_id FROM sluice.create_topics($1::text[], $2::boolean)",
                [.textArray([name.text]), .bool(!settings.isDurable)])
            var plain = TopicSettings()
            plain.isDurable = settings.isDurable
            if settings != plain {
                try set(settings, of: created.int4(0, 0))
            }
            return try outcome()
        }
    }

    func alter(
        _ changes: TopicChanges, ifRevision: Int?
    ) throws(PostgresError) -> Outcome<TopicDescription> {
        try change(ifRevision) { topic, id throws(PostgresError) in
            let settings: TopicSettings
            do throws(BrokerError) { settings = try topic.settings(after: changes) } catch {
                return .failure(error)
            }
            guard settings != topic.settings else { return .success(topic) }
            try set(settings, of: id)
            return try outcome()
        }
    }

    func delete(ifRevision: Int?) throws(PostgresError) -> Outcome<TopicDescription> {
        try change(ifRevision) { topic, id throws(PostgresError) in
            _ = try connection.query(
                "SELECT sluice.delete_topic($1::int)", [.int4(id)],
                timeout: LogContext.controlTimeout)
            return .success(topic)
        }
    }

    func purge(
        before: Offset, ifRevision: Int?
    ) throws(PostgresError) -> Outcome<TopicPurge> {
        try change(ifRevision) { topic, id throws(PostgresError) in
            _ = try connection.query(
                "SELECT sluice.purge($1::int, $2::bigint)", [.int4(id), .int8(before)],
                timeout: LogContext.controlTimeout)
            return try outcome().map { purged in
                let events = purged.position.earliest - topic.position.earliest
                return TopicPurge(topic: purged, events: events)
            }
        }
    }

    // MARK: Steps

    /// Changes a topic that exists and has the revision that is expected.
    private func change<Value>(
        _ ifRevision: Int?,
        _ body: (TopicDescription, Int32) throws(PostgresError) -> Outcome<Value>
    ) throws(PostgresError) -> Outcome<Value> {
        try transaction { () throws(PostgresError) in
            guard let topic = try described(), let id = topic.position.epoch.topicID else {
                return .failure(TopicLookup.notFound(name))
            }
            do throws(BrokerError) {
                try topic.requireRevision(ifRevision)
            } catch {
                return .failure(error)
            }
            return try body(topic, id)
        }
    }

    private func described() throws(PostgresError) -> TopicDescription? {
        try TopicDescribing.topic(name, in: incarnation, on: connection)
    }

    private func outcome() throws(PostgresError) -> Outcome<TopicDescription> {
        try described().map { .success($0) } ?? .failure(TopicLookup.notFound(name))
    }

    private func set(_ settings: TopicSettings, of id: Int32) throws(PostgresError) {
        _ = try connection.query(
            "SELECT sluice.alter_topic($1::int, $2::text::jsonb)",
            [.int4(id), .text(Self.document(settings))], timeout: LogContext.controlTimeout)
    }

    // MARK: The transaction

    private func transaction<Value>(
        _ body: () throws(PostgresError) -> Outcome<Value>
    ) throws(PostgresError) -> Outcome<Value> {
        _ = try connection.query("BEGIN")
        let outcome: Outcome<Value>
        do throws(PostgresError) {
            _ = try connection.query(
                "SELECT sluice.next_version() WHERE \(CatalogReading.inIncarnation)",
                [.text(incarnation)], timeout: LogContext.controlTimeout)
            outcome = try body()
        } catch {
            if error.kind == .query { _ = try connection.query("ROLLBACK") }
            // SQLSTATE lock_not_available.
            guard error.sqlState == "55P03" else { throw error }
            return .failure(
                LogContext.unavailable(
                    "\(name) was not changed: an append or another change held its lock."))
        }
        guard case .success = outcome else {
            _ = try connection.query("ROLLBACK")
            return outcome
        }
        return try commit() ?? outcome
    }

    /// What to answer instead of the outcome, which nobody knows.
    ///
    /// The statement is not repeated: on a topic that it has changed, it would be refused.
    private func commit<Value>() throws(PostgresError) -> Outcome<Value>? {
        do throws(PostgresError) {
            _ = try connection.query("COMMIT", timeout: LogContext.controlTimeout)
            return nil
        } catch {
            guard error.kind != .query else { throw error }
            return .failure(
                BrokerError(
                    .outcomeUnknown, "The database was lost while it changed \(name).",
                    remedy: "Read the topic, then decide again."))
        }
    }

    /// All settings, as `sluice.alter_topic` takes them.
    private static func document(_ settings: TopicSettings) -> String {
        var json = JSONWriter()
        json.raw(#"{"retain_age":"#)
        write(settings.retainAge, to: &json) { $0.string(intervalText($1)) }
        json.raw(#","retain_count":"#)
        write(settings.retainCount, to: &json) { $0.integer($1) }
        json.raw(#","retain_bytes":"#)
        write(settings.retainBytes, to: &json) { $0.integer($1) }
        json.raw(#","event_bytes":"#)
        if let most = settings.eventBytesMax { json.integer(most) } else { json.raw("null") }
        json.raw(#","overflow":"#)
        if let policy = settings.overflow {
            json.raw("[")
            json.string(policy.rawValue)
            json.raw("]")
        } else {
            json.raw("null")
        }
        json.raw(#","description":"#)
        json.string(settings.description)
        json.raw("}")
        return String(decoding: json.bytes, as: UTF8.self)
    }

    private static func write<Value>(
        _ bound: Retention<Value>, to json: inout JSONWriter,
        _ value: (inout JSONWriter, Value) -> Void
    ) {
        switch bound {
        case .default: json.raw("null")
        case .unlimited: json.raw(#""unlimited""#)
        case .limited(let most): value(&json, most)
        }
    }
}
