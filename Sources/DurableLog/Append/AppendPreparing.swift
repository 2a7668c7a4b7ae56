internal import EventModel
internal import PostgresBridge

extension AppendThread {
    /// Finds the topics' ids, creating what may be created.
    ///
    /// Requests that cannot be appended are answered and taken out.
    ///
    /// - Returns: `nil` when none is left.
    func prepare(
        _ requests: inout [PendingAppend], _ link: AppendConnection
    ) throws(PostgresError) -> AppendBatch? {
        var failures: [TopicName: BrokerError] = [:]
        let entries = try entries(for: requests, link, &failures)
        let locked = try lockedTopics(among: Set(entries.values.map(\.id)), link)
        var ids: [TopicName: Int32] = [:]
        for (name, entry) in entries { ids[name] = entry.id }
        var refused: [(PendingAppend, BrokerError)] = []
        requests.removeAll { pending in
            guard let error = refusal(of: pending, entries, failures, locked) else { return false }
            refused.append((pending, error))
            return true
        }
        for (pending, error) in refused { pending.completion(.failure(error)) }
        guard !requests.isEmpty else { return nil }
        return AppendBatch(requests, ids: ids, incarnation: link.incarnation)
    }

    private func refusal(
        of pending: PendingAppend, _ entries: [TopicName: CatalogEntry],
        _ failures: [TopicName: BrokerError], _ locked: Set<Int32>
    ) -> BrokerError? {
        for part in pending.request.parts {
            if let failure = failures[part.topic] { return failure }
            guard let entry = entries[part.topic] else { return Self.notFound(part.topic) }
            if entry.isEphemeral {
                var error = BrokerError(
                    .ephemeralTopic, "Topic \(part.topic) is ephemeral.",
                    remedy: "Publish to a durable topic.")
                error.committed = .no
                return error
            }
            if locked.contains(entry.id) {
                return LogContext.unavailable(
                    "Topic \(part.topic) is locked by another transaction.")
            }
        }
        return nil
    }

    private func entries(
        for requests: [PendingAppend], _ link: AppendConnection,
        _ failures: inout [TopicName: BrokerError]
    ) throws(PostgresError) -> [TopicName: CatalogEntry] {
        var entries: [TopicName: CatalogEntry] = [:]
        var creating: Set<TopicName> = []
        var existing: Set<TopicName> = []
        for pending in requests {
            let creates = pending.request.createsTopics && context.createsTopics
            for part in pending.request.parts where entries[part.topic] == nil {
                if let entry = context.catalog.entry(of: part.topic, in: link.incarnation) {
                    entries[part.topic] = entry
                } else if creates {
                    creating.insert(part.topic)
                } else {
                    existing.insert(part.topic)
                }
            }
        }
        if !creating.isEmpty {
            do throws(PostgresError) {
                entries.merge(try look(creating, CatalogReading.byNameCreating, link)) { $1 }
                writer.follower.catalogChanged()
            } catch {
                // Somebody holds the catalog's lock: only what needs a new topic has to wait.
                guard !error.needsNewConnection else { throw error }
                let failure = LogContext.unavailable(
                    "A topic cannot be created now: \(error.message).")
                for name in creating { failures[name] = failure }
            }
        }
        existing.subtract(creating)
        if !existing.isEmpty {
            entries.merge(try look(existing, CatalogReading.byName, link)) { $1 }
        }
        return entries
    }

    private func look(
        _ names: Set<TopicName>, _ sql: String, _ link: AppendConnection
    ) throws(PostgresError) -> [TopicName: CatalogEntry] {
        let result = try ask(link, timeout: LogContext.controlTimeout) {
            link throws(PostgresError) in
            try link.send(
                sql,
                CatalogReading.parameters(names.sorted { $0.text < $1.text }, in: link.incarnation),
                as: .question)
        }
        let found = CatalogReading.entries(in: result)
        context.catalog.learn(found, in: link.incarnation)
        return found
    }

    /// Those of the suspects that are still locked, without waiting for any.
    private func lockedTopics(
        among topicIDs: Set<Int32>, _ link: AppendConnection
    ) throws(PostgresError) -> Set<Int32> {
        let asked = suspects.intersection(topicIDs)
        guard !asked.isEmpty else { return [] }
        let result = try ask(link, timeout: LogContext.controlTimeout) {
            link throws(PostgresError) in
            try link.send(
                "SELECT id FROM unnest($1::int[]) id WHERE NOT pg_try_advisory_xact_lock(4740, id)",
                [.int4Array(asked.sorted())], as: .question)
        }
        let locked = Set((0..<result.rowCount).map { result.int4($0, 0) })
        suspects.subtract(asked.subtracting(locked))
        return locked
    }
}
