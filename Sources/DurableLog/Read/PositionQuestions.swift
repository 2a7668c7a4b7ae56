internal import EventModel
internal import PostgresBridge

extension ReadInbox {
    func offsets(
        of topics: [TopicName], at time: Timestamp,
        completion: @escaping @Sendable (Result<LogAnswers<Offset>, BrokerError>) -> Void
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
                completion(
                    .success(LogAnswers(ids.compactMapValues { offsets[$0.id] }, in: incarnation)))
            } fail: {
                completion(.failure($0))
            })
    }
}
