internal import EventModel
internal import PostgresBridge

extension ReadInbox {
    func offsets(
        of topics: [TopicName], at time: Timestamp,
        completion: @escaping @Sendable (Result<[TopicName: Offset], BrokerError>) -> Void
    ) {
        ask(
            Question { [self] connection, incarnation throws(PostgresError) in
                let ids = try TopicLookup.ids(of: topics, in: incarnation, context, on: connection)
                let result = try connection.query(
                    """
                    SELECT u.id, sluice.offset_at($1::text, u.id, $3::timestamptz)
                    FROM unnest($2::int[]) u(id)
                    """,
                    [
                        .text(incarnation), .int4Array(ids.values.map(\.id)),
                        .timestamp(microsecondsSince1970: time.microseconds),
                    ], timeout: LogContext.controlTimeout)
                var offsets: [Int32: Offset] = [:]
                for row in 0..<result.rowCount where !result.isNull(row, 1) {
                    offsets[result.int4(row, 0)] = result.int8(row, 1)
                }
                completion(.success(ids.compactMapValues { offsets[$0.id] }))
            } fail: {
                completion(.failure($0))
            })
    }

    func resume(
        _ cursors: [TopicName: Cursor],
        completion: @escaping @Sendable (Result<[TopicName: Resumption], BrokerError>) -> Void
    ) {
        ask(
            Question { [self] connection, incarnation throws(PostgresError) in
                // Cursors come from clients, and the node may be behind the one that they come
                // from: names anew.
                let result = try connection.query(
                    CatalogReading.byName,
                    CatalogReading.parameters(Array(cursors.keys), in: incarnation),
                    timeout: LogContext.controlTimeout)
                let entries = CatalogReading.entries(in: result)
                let answers = try resume(cursors, entries, incarnation, connection)
                completion(.success(answers))
            } fail: {
                completion(.failure($0))
            })
    }

    private func resume(
        _ cursors: [TopicName: Cursor], _ entries: [TopicName: CatalogEntry],
        _ incarnation: String, _ connection: PostgresConnection
    ) throws(PostgresError) -> [TopicName: Resumption] {
        var answers: [TopicName: Resumption] = [:]
        var asked: [(name: TopicName, id: Int32, cursor: Cursor)] = []
        for (name, cursor) in cursors {
            if let entry = entries[name] {
                if cursor.epoch.topicID == entry.id {
                    asked.append((name, entry.id, cursor))
                } else {
                    answers[name] = .reset(fork: 0, reason: .recreated)
                }
            } else {
                answers[name] = .reset(fork: 0, reason: .deleted)
            }
        }
        let result = try connection.query(
            """
            SELECT u.o, r.goes_on, r.fork
            FROM unnest($2::int[], $3::text[], $4::bigint[]) WITH ORDINALITY u(id, old, after, o)
            CROSS JOIN LATERAL sluice.resume($1::text, u.id, u.old, u.after) r
            """,
            [
                .text(incarnation), .int4Array(asked.map(\.id)),
                .textArray(asked.map(\.cursor.epoch.incarnation)),
                .int8Array(asked.map(\.cursor.offset)),
            ], timeout: LogContext.controlTimeout)
        for row in 0..<result.rowCount {
            let name = asked[Int(result.int8(row, 0)) - 1].name
            if result.isNull(row, 2) {
                answers[name] = .reset(fork: 0, reason: .deleted)
            } else if result.bool(row, 1) {
                answers[name] = .goesOn
            } else {
                answers[name] = .reset(fork: result.int8(row, 2), reason: .restored)
            }
        }
        return answers
    }
}
