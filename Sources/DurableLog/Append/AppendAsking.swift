internal import EventModel
internal import PostgresBridge

/// How the questions of the flow are asked, beside the append connection.
extension AppendInbox {
    func ask(_ questions: AppendQuestions) {
        if !questions.find.isEmpty { find(questions.find, creates: false) }
        if !questions.create.isEmpty { find(questions.create, creates: true) }
        if !questions.locks.isEmpty { probe(questions.locks) }
        for condition in questions.conditions { check(condition) }
    }

    private func find(_ names: Set<TopicName>, creates: Bool) {
        let sorted = names.sorted { $0.text < $1.text }
        let fail = { @Sendable [self] (error: BrokerError) in
            answered { flow, replies in flow.failed(names, error, into: &replies) }
        }
        question(fail) { [self] connection, incarnation throws(PostgresError) in
            let result: PostgresResult
            do throws(PostgresError) {
                result = try connection.query(
                    creates ? CatalogReading.byNameCreating : CatalogReading.byName,
                    CatalogReading.parameters(sorted, in: incarnation),
                    timeout: context.limits.outcomeTimeout)
            } catch {
                guard !error.needsNewConnection else { throw error }
                // Somebody may hold the catalog's lock: only what needs these topics has to wait.
                let what = creates ? "created" : "looked up"
                return fail(
                    LogContext.unavailable("A topic cannot be \(what) now: \(error.message)."))
            }
            let found = CatalogReading.entries(in: result)
            context.catalog.learn(found, in: incarnation)
            if creates { follows.catalogChanged() }
            let missing = names.subtracting(found.keys)
            answered { flow, replies in flow.found(names, missing: missing, into: &replies) }
        }
    }

    /// Tries the locks without waiting for any.
    private func probe(_ names: Set<TopicName>) {
        let answer = { @Sendable [self] (locked: Set<TopicName>) in
            answered { $0.probed(names, locked: locked, now: .now, into: &$1) }
        }
        // Who cannot ask knows nothing better.
        question({ _ in answer(names) }) { [self] connection, incarnation throws(PostgresError) in
            var ids: [Int32: TopicName] = [:]
            for name in names {
                if let id = context.catalog.entry(of: name, in: incarnation)?.id { ids[id] = name }
            }
            let result = try connection.query(
                "SELECT id FROM unnest($1::int[]) id WHERE NOT pg_try_advisory_xact_lock(4740, id)",
                [.int4Array(ids.keys.sorted())], timeout: context.limits.lockTimeout)
            answer(Set((0..<result.rowCount).compactMap { ids[result.int4($0, 0)] }))
        }
    }

    private func check(_ condition: AppendQuestions.Condition) {
        let answer = { @Sendable [self] (incarnation: String, error: BrokerError?) in
            answered { $0.checked(condition, in: incarnation, error, into: &$1) }
        }
        question({ answer("", $0) }) { [self] connection, incarnation throws(PostgresError) in
            for (name, cursor) in condition.heads {
                if let moved = try moved(name, cursor, incarnation, connection) {
                    return answer(incarnation, moved)
                }
            }
            answer(incarnation, nil)
        }
    }

    /// `head_moved`, unless a subscriber with this cursor could go on.
    private func moved(
        _ name: TopicName, _ cursor: Cursor, _ incarnation: String,
        _ connection: PostgresConnection
    ) throws(PostgresError) -> BrokerError? {
        var error = BrokerError(
            .headMoved, "The head of topic \(name) is not \(quoted(cursor.description)).")
        guard let entry = context.catalog.entry(of: name, in: incarnation) else { return error }
        let result = try connection.query(
            """
            SELECT r.goes_on, e.latest FROM sluice.resume($1::text, $2::int, $3::text, $4::bigint) r
            CROSS JOIN sluice.ends($1::text, $2::int) e
            """,
            [
                .text(incarnation), .int4(entry.id), .text(cursor.epoch.incarnation),
                .int8(cursor.offset),
            ], timeout: context.limits.outcomeTimeout)
        guard result.rowCount == 1 else { return error }
        if cursor.epoch.topicID == entry.id, !result.isNull(0, 0), result.bool(0, 0) { return nil }
        error.head = Cursor(
            epoch: Epoch(incarnation: incarnation, topicID: entry.id), offset: result.int8(0, 1))
        return error
    }

    private func question(
        _ fail: @escaping @Sendable (BrokerError) -> Void,
        _ ask: @escaping @Sendable (PostgresConnection, String) throws(PostgresError) -> Void
    ) {
        topics.ask(ReadInbox.Question(ask: ask, fail: fail))
    }
}
