internal import EventModel
internal import PostgresBridge

/// The statements of the append connection.
enum AppendStatement {
    static let append = "append"
    static let emit = "emit"
    static let giveUp = "give_up"

    /// `others` as plain text, so that nobody parses JSON: see `AppendAnswer`.
    private static let answer = """
        b.at, b.parts, (SELECT string_agg(concat(j->>'guard', '/', j->>'status', '/',
          j->>'first', '/', j->>'last', '/',
          (extract(epoch FROM (j->>'time')::timestamptz) * 1000000)::bigint, '/', j->>'head'), ' ')
          FROM json_array_elements(b.others) j)
        """

    static func prepare(
        _ way: AppendWay, on connection: PostgresConnection
    ) throws(PostgresError) {
        switch way {
        case .log: try prepareAppend(on: connection)
        case .ephemera: try prepareEmit(on: connection)
        }
    }

    /// The answer has the columns of an append's: each topic's part with its own time, and no
    /// `others`.
    private static func prepareEmit(on connection: PostgresConnection) throws(PostgresError) {
        try connection.prepare(
            emit,
            """
            SELECT clock_timestamp(), coalesce(string_agg(concat(t.id, ':', t.base + 1, '-',
                t.base + t.count, '@', (extract(epoch FROM t.at) * 1000000)::bigint), ' '), ''), ''
            FROM sluice.emit($1::text, $2::int[], $4::int[], $5::int[], $6::json[], $7::text[],
                $8::text[], $9::json[]) e
            CROSS JOIN LATERAL unnest($2::int[], $3::int[], e.at, e.base) t(id, count, at, base)
            WHERE t.base IS NOT NULL
            """)
    }

    private static func prepareAppend(on connection: PostgresConnection) throws(PostgresError) {
        try connection.prepare(
            append,
            """
            SELECT \(answer) FROM sluice.append($1::text, $2::bigint, $3::bigint, $4::int[],
              $5::int[], $6::int[], $7::int[], $8::bigint[], $9::json[], $10::text[], $11::text[],
              $12::json[], $13::int[], $14::int[], $15::int[], $16::bigint[],
              $17::text[], $18::bytea[]) b
            """)
        try connection.prepare(
            giveUp, "SELECT \(answer) FROM sluice.give_up($1::bigint, $2::bigint) b")
    }

    /// Writes the parameters of `append`.
    static func write(
        _ batch: AppendBatch, writer: Int64, seq: Int64, to parameters: inout PostgresParameters
    ) {
        parameters.removeAll()
        parameters.add(.text(batch.incarnation))
        parameters.add(.int8(writer))
        parameters.add(.int8(seq))
        writeArrays(batch, to: &parameters)
        parameters.int8Array(batch.sizes)
        writeEvents(batch, to: &parameters)
        for parameter in guards(batch.guards) { parameters.add(parameter) }
    }

    /// Writes the parameters of `emit`.
    static func write(_ batch: AppendBatch, to parameters: inout PostgresParameters) {
        parameters.removeAll()
        parameters.add(.text(batch.incarnation))
        writeArrays(batch, to: &parameters)
        writeEvents(batch, to: &parameters)
    }

    private static func writeArrays(
        _ batch: AppendBatch, to parameters: inout PostgresParameters
    ) {
        parameters.int4Array(batch.topicIDs)
        parameters.int4Array(batch.counts)
        parameters.int4Array(batch.topicIndexes)
        parameters.int4Array(batch.positions)
    }

    private static func writeEvents(
        _ batch: AppendBatch, to parameters: inout PostgresParameters
    ) {
        let count = batch.positions.count
        parameters.beginJSONArray(count)
        batch.forEachEvent { parameters.append($0.data) }
        if batch.has({ $0.key }) {
            parameters.beginTextArray(count)
            batch.forEachEvent { parameters.append($0.key) }
        } else {
            parameters.add(.null)
        }
        if batch.has({ $0.eventID }) {
            parameters.beginTextArray(count)
            batch.forEachEvent { parameters.append($0.eventID) }
        } else {
            parameters.add(.null)
        }
        if batch.has({ $0.attributes }) {
            parameters.beginJSONArray(count)
            batch.forEachEvent { parameters.append($0.attributes) }
        } else {
            parameters.add(.null)
        }
    }

    /// Arrays without a value are NULL as a whole: these are the function's fast paths.
    private static func guards(_ guards: [AppendBatch.Guard]) -> [PostgresParameter] {
        guard !guards.isEmpty else { return [.null, .null, .null, .null, .null, .null] }
        let hasHead = guards.contains { $0.head != nil }
        let hasKey = guards.contains { $0.key != nil }
        return [
            .int4Array(guards.map(\.request)), .int4Array(guards.map(\.first)),
            .int4Array(guards.map(\.last)),
            hasHead ? .int8Array(guards.map(\.head)) : .null,
            hasKey ? .textArray(guards.map { $0.key?.text }) : .null,
            hasKey ? .byteaArray(guards.map { $0.key?.digest }) : .null,
        ]
    }

    /// The answer in a row of `append` or `give_up`; `nil`: the batch was given up.
    static func answer(in result: PostgresResult) throws(PostgresError) -> AppendAnswer? {
        guard result.rowCount == 1 else { throw unexpected(result) }
        if result.isNull(0, 1) { return nil }
        let answer = AppendAnswer(
            time: Timestamp(microseconds: result.timestamp(0, 0)), parts: result.text(0, 1),
            others: result.text(0, 2))
        guard let answer else { throw unexpected(result) }
        return answer
    }

    private static func unexpected(_ result: PostgresResult) -> PostgresError {
        PostgresError(
            kind: .connectionLost, message: "an append was answered with \(result.rowCount) rows")
    }
}
