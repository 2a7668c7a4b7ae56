import Dispatch
package import EventModel
import Synchronization

extension MemoryLog {
    package func page(
        of topic: TopicName, after: Offset, events: Int, bytes: Int,
        completion: @escaping @Sendable (Result<EventPage, BrokerError>) -> Void
    ) {
        let result: Result<EventPage, BrokerError> = read { state throws(BrokerError) in
            guard let found = state.topics[topic] else {
                throw BrokerError(.topicNotFound, "There is no topic \(quoted(topic.text)).")
            }
            return EventPage(
                position: found.position(of: topic, in: state.incarnation),
                purgedBelow: found.purgedBelow,
                events: found.page(after: after, events: events, bytes: bytes))
        }
        queue.async { completion(result) }
    }

    package func offsets(
        of topics: [TopicName], at time: Timestamp,
        completion: @escaping @Sendable (Result<LogAnswers<Offset>, BrokerError>) -> Void
    ) {
        let result: Result<LogAnswers<Offset>, BrokerError> = read { state throws(BrokerError) in
            var offsets: [TopicName: Offset] = [:]
            for name in topics {
                guard let topic = state.topics[name] else { continue }
                offsets[name] =
                    topic.events.first { $0.time >= time }?.offset ?? topic.latest + 1
            }
            return LogAnswers(offsets, in: state.incarnation)
        }
        queue.async { completion(result) }
    }

    package func resume(
        _ cursors: [TopicName: Cursor],
        completion: @escaping @Sendable (Result<LogAnswers<Resumption>, BrokerError>) -> Void
    ) {
        let result: Result<LogAnswers<Resumption>, BrokerError> = read {
            state throws(BrokerError) in
            var answers: [TopicName: Resumption] = [:]
            for (name, cursor) in cursors { answers[name] = state.resume(name, cursor) }
            return LogAnswers(answers, in: state.incarnation)
        }
        queue.async { completion(result) }
    }

    package func mark(completion: @escaping @Sendable (Result<LogMark, BrokerError>) -> Void) {
        let result: Result<LogMark, BrokerError> = read { state throws(BrokerError) in
            LogMark(incarnation: state.incarnation, bound: markTime())
        }
        queue.async { completion(result) }
    }

    package func offsets(
        of topics: [TopicName], asOf mark: LogMark,
        completion: @escaping @Sendable (Result<LogAnswers<Offset>, BrokerError>) -> Void
    ) {
        let result: Result<LogAnswers<Offset>, BrokerError> = read { state throws(BrokerError) in
            var offsets: [TopicName: Offset] = [:]
            for name in topics { offsets[name] = state.firstNew(name, since: mark) }
            return LogAnswers(offsets, in: state.incarnation)
        }
        queue.async { completion(result) }
    }

    package func describe(_ topic: TopicName) async throws(BrokerError) -> TopicDescription? {
        try read { state throws(BrokerError) in state.describe(topic) }.get()
    }

    package func list(
        matching patterns: [TopicPattern], after: TopicName?, count: Int
    ) async throws(BrokerError) -> [TopicDescription] {
        try read { state throws(BrokerError) in
            state.topics.keys
                .filter { topic in
                    topic.text > after?.text ?? "" && patterns.contains { $0.matches(topic) }
                }
                .sorted { $0.text < $1.text }.prefix(count)
                .compactMap { state.describe($0) }
        }.get()
    }

    private func read<Value>(
        _ body: (State) throws(BrokerError) -> Value
    ) -> Result<Value, BrokerError> {
        let snapshot = state.withLock { $0 }
        guard snapshot.isAvailable else { return .failure(Self.unavailable) }
        do throws(BrokerError) {
            return .success(try body(snapshot))
        } catch {
            return .failure(error)
        }
    }
}

extension MemoryLog.State {
    func resume(_ name: TopicName, _ cursor: Cursor) -> Resumption {
        guard let topic = topics[name] else { return .reset(fork: 0, reason: .deleted) }
        guard cursor.epoch.topicID == topic.id else { return .reset(fork: 0, reason: .recreated) }
        guard let number = incarnations.firstIndex(of: cursor.epoch.incarnation) else {
            return .reset(fork: 0, reason: .restored)
        }
        if !topic.settings.isDurable, number < incarnations.count - 1 {
            return .reset(fork: 0, reason: .restored)
        }
        let later = incarnations.indices.filter { $0 > number }.map { topic.forks[$0] ?? 0 }
        let fork = min(topic.latest, later.min() ?? topic.latest)
        return cursor.offset <= fork ? .goesOn : .reset(fork: fork, reason: .restored)
    }

    func firstNew(_ name: TopicName, since mark: LogMark) -> Offset? {
        guard let topic = topics[name] else { return nil }
        guard let number = incarnations.firstIndex(of: mark.incarnation) else {
            return topic.earliest
        }
        let isNew = topic.created >= mark.bound
        let first = topic.events.first { $0.time >= mark.bound }?.offset ?? topic.latest + 1
        let next = number + 1
        let fork = next < incarnations.count ? topic.forks[next] ?? 0 : topic.latest
        return min(isNew ? 1 : first, fork + 1)
    }

    func describe(_ name: TopicName) -> TopicDescription? {
        guard let topic = topics[name] else { return nil }
        let bytes = topic.events.reduce(0) { $0 + $1.content.byteCount }
        return TopicDescription(
            position: topic.position(of: name, in: incarnation), settings: topic.settings,
            revision: topic.revision, bytes: Int64(bytes), created: topic.created)
    }
}
