internal import EventModel
internal import Logging
internal import PostgresBridge
internal import Synchronization

/// Somebody who asks what became of his cursors.
struct ResumptionAsker: Sendable {
    var cursors: [TopicName: Cursor]
    var completion: @Sendable (Result<LogAnswers<Resumption>, BrokerError>) -> Void
}

/// Somebody who asks where topics begin as of a mark.
struct StartAsker: Sendable {
    var topics: [TopicName]
    var mark: LogMark
    var completion: @Sendable (Result<LogAnswers<Offset>, BrokerError>) -> Void
}

/// What subscribers ask who come back: all that wait for the same are one question, as thousands
/// come at once (doc:Subscriptions).
extension ReadInbox {
    typealias MarkCompletion = @Sendable (Result<LogMark, BrokerError>) -> Void

    // MARK: Marks

    func mark(completion: @escaping MarkCompletion) {
        guard let shared = marks.join(.together, completion) else { return }
        ask(
            Question { [self] connection, incarnation throws(PostgresError) in
                let askers = marks.close(shared)
                let answer = try mark(in: incarnation, on: connection)
                for completion in askers { completion(answer) }
            } fail: { [self] error in
                for completion in marks.close(shared) { completion(.failure(error)) }
            })
    }

    /// One that is refused for good, as for lack of `pg_read_all_stats`, is said once.
    private func mark(
        in incarnation: String, on connection: PostgresConnection
    ) throws(PostgresError) -> Result<LogMark, BrokerError> {
        do throws(PostgresError) {
            let result = try connection.query(
                "SELECT sluice.mark($1::text)", [.text(incarnation)],
                timeout: LogContext.controlTimeout)
            hasRefusedMark.withLock { $0 = false }
            let bound = Timestamp(microseconds: result.timestamp(0, 0))
            return .success(LogMark(incarnation: incarnation, bound: bound))
        } catch {
            guard !error.needsNewConnection else { throw error }
            let isNew = hasRefusedMark.withLock { hasRefused in
                defer { hasRefused = true }
                return !hasRefused
            }
            context.logger.log(
                level: isNew ? .warning : .debug, "subscribers get no marks to resume from",
                metadata: ["error": "\(error)"])
            return .failure(
                LogContext.unavailable("The database gives no mark: \(error.message)."))
        }
    }

    // MARK: Cursors

    func resume(
        _ cursors: [TopicName: Cursor],
        completion: @escaping @Sendable (Result<LogAnswers<Resumption>, BrokerError>) -> Void
    ) {
        let asker = ResumptionAsker(cursors: cursors, completion: completion)
        guard let shared = resumptions.join(.together, asker) else { return }
        ask(
            Question { [self] connection, incarnation throws(PostgresError) in
                let askers = resumptions.close(shared)
                var asked: [TopicName: Set<Cursor>] = [:]
                for (name, cursor) in askers.lazy.flatMap(\.cursors) {
                    asked[name, default: []].insert(cursor)
                }
                let answers = try resume(asked, incarnation, connection)
                for asker in askers {
                    var own: [TopicName: Resumption] = [:]
                    for (name, cursor) in asker.cursors { own[name] = answers[name]?[cursor] }
                    asker.completion(.success(LogAnswers(own, in: incarnation)))
                }
            } fail: { [self] error in
                for asker in resumptions.close(shared) { asker.completion(.failure(error)) }
            })
    }

    private func resume(
        _ cursors: [TopicName: Set<Cursor>], _ incarnation: String,
        _ connection: PostgresConnection
    ) throws(PostgresError) -> [TopicName: [Cursor: Resumption]] {
        // Cursors come from clients, and the node may be behind the one that they come from: names
        // anew.
        let result = try connection.query(
            CatalogReading.byName, CatalogReading.parameters(cursors.keys, in: incarnation),
            timeout: LogContext.controlTimeout)
        let entries = CatalogReading.entries(in: result)
        var answers: [TopicName: [Cursor: Resumption]] = [:]
        var asked: [(name: TopicName, id: Int32, cursor: Cursor)] = []
        for (name, cursors) in cursors {
            for cursor in cursors {
                if let entry = entries[name] {
                    if cursor.epoch.topicID == entry.id {
                        asked.append((name, entry.id, cursor))
                    } else {
                        answers[name, default: [:]][cursor] = .reset(fork: 0, reason: .recreated)
                    }
                } else {
                    answers[name, default: [:]][cursor] = .reset(fork: 0, reason: .deleted)
                }
            }
        }
        for slice in asked.slices {
            let result = try connection.query(
                """
                SELECT u.o, r.goes_on, r.fork
                FROM unnest($2::int[], $3::text[], $4::bigint[])
                  WITH ORDINALITY u(id, old, after, o)
                CROSS JOIN LATERAL sluice.resume($1::text, u.id, u.old, u.after) r
                """,
                [
                    .text(incarnation), .int4Array(slice.map(\.id)),
                    .textArray(slice.map(\.cursor.epoch.incarnation)),
                    .int8Array(slice.map(\.cursor.offset)),
                ], timeout: LogContext.controlTimeout)
            for row in 0..<result.rowCount {
                let (name, _, cursor) = slice[slice.startIndex + Int(result.int8(row, 0)) - 1]
                let answer: Resumption
                if result.isNull(row, 2) {
                    answer = .reset(fork: 0, reason: .deleted)
                } else if result.bool(row, 1) {
                    answer = .goesOn
                } else {
                    answer = .reset(fork: result.int8(row, 2), reason: .restored)
                }
                answers[name, default: [:]][cursor] = answer
            }
        }
        return answers
    }

    // MARK: Starts as of a mark

    func offsets(
        of topics: [TopicName], asOf mark: LogMark,
        completion: @escaping @Sendable (Result<LogAnswers<Offset>, BrokerError>) -> Void
    ) {
        let asker = StartAsker(topics: topics, mark: mark, completion: completion)
        guard let shared = starts.join(.together, asker) else { return }
        ask(
            Question { [self] connection, incarnation throws(PostgresError) in
                let askers = starts.close(shared)
                var asked: [LogMark: Set<TopicName>] = [:]
                for asker in askers { asked[asker.mark, default: []].formUnion(asker.topics) }
                let offsets = try offsets(asked, incarnation, connection)
                for asker in askers {
                    var own: [TopicName: Offset] = [:]
                    for name in asker.topics { own[name] = offsets[asker.mark]?[name] }
                    asker.completion(.success(LogAnswers(own, in: incarnation)))
                }
            } fail: { [self] error in
                for asker in starts.close(shared) { asker.completion(.failure(error)) }
            })
    }

    private func offsets(
        _ topics: [LogMark: Set<TopicName>], _ incarnation: String,
        _ connection: PostgresConnection
    ) throws(PostgresError) -> [LogMark: [TopicName: Offset]] {
        let names = topics.values.reduce(into: Set()) { $0.formUnion($1) }
        let ids = try TopicLookup.ids(
            of: Array(names), in: incarnation, context, on: connection)
        var asked: [(name: TopicName, id: Int32, mark: LogMark)] = []
        for (mark, names) in topics {
            for name in names {
                if let entry = ids[name] { asked.append((name, entry.id, mark)) }
            }
        }
        var offsets: [LogMark: [TopicName: Offset]] = [:]
        for slice in asked.slices {
            let result = try connection.query(
                """
                SELECT u.o, sluice.offset_as_of($1::text, u.id, u.old, u.bound)
                FROM unnest($2::int[], $3::text[], $4::timestamptz[])
                  WITH ORDINALITY u(id, old, bound, o)
                """,
                [
                    .text(incarnation), .int4Array(slice.map(\.id)),
                    .textArray(slice.map(\.mark.incarnation)),
                    .timestampArray(slice.map(\.mark.bound.microseconds)),
                ], timeout: LogContext.controlTimeout)
            for row in 0..<result.rowCount where !result.isNull(row, 1) {
                let (name, _, mark) = slice[slice.startIndex + Int(result.int8(row, 0)) - 1]
                offsets[mark, default: [:]][name] = result.int8(row, 1)
            }
        }
        return offsets
    }
}

extension Array {
    /// Parts of which none keeps a statement near `controlTimeout`.
    var slices: [ArraySlice<Element>] {
        stride(from: 0, to: count, by: PageReading.topicsMax).map {
            self[$0..<Swift.min($0 + PageReading.topicsMax, count)]
        }
    }
}
