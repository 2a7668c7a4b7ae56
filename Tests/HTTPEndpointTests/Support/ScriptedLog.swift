import EventModel
import Synchronization

/// A log that answers as the test says: it counts offsets, fails with a given error, or holds its
/// answers back.
final class ScriptedLog: EventLog {
    struct State {
        var appends: [AppendRequest] = []
        var heads: [TopicName: Offset] = [:]
        var failure: BrokerError?
        var isReady = true
        var parts: [LogPart] = []
        var holds = false
        var held: [@Sendable () -> Void] = []
        var resumption: Resumption? = .goesOn
        var resumed: [[TopicName: Cursor]] = []
        var pages: [TopicName: EventPage] = [:]
        var topics: [TopicName: TopicDescription] = [:]
    }

    static let epoch = Epoch(incarnation: "k3f9", topicID: 1)
    static let time = Timestamp(microseconds: 1_763_900_000_000_001)

    private let state = Mutex(State())

    var appends: [AppendRequest] { state.withLock(\.appends) }
    var resumed: [[TopicName: Cursor]] { state.withLock(\.resumed) }

    func set(_ change: (inout sending State) -> Void) { state.withLock { change(&$0) } }

    /// Lets go what was held.
    func release() {
        let held = state.withLock { state in
            defer { state.held = [] }
            state.holds = false
            return state.held
        }
        for answer in held { answer() }
    }

    private func tell(_ answer: @escaping @Sendable () -> Void) {
        let isHeld = state.withLock { state in
            if state.holds { state.held.append(answer) }
            return state.holds
        }
        if !isHeld { answer() }
    }

    func append(_ request: AppendRequest, completion: @escaping AppendCompletion) {
        let result = state.withLock { state -> Result<[AppendReceipt], BrokerError> in
            state.appends.append(request)
            if let failure = state.failure { return .failure(failure) }
            return .success(
                request.parts.map { part in
                    let first = state.heads[part.topic, default: 0] + 1
                    let last = first + Offset(part.events.count) - 1
                    state.heads[part.topic] = last
                    return AppendReceipt(
                        topic: part.topic, epoch: Self.epoch, first: first, last: last,
                        time: Self.time, isRepeat: false)
                })
        }
        tell { completion(result) }
    }

    func page(
        of topic: TopicName, after: Offset, events: Int, bytes: Int,
        completion: @escaping @Sendable (Result<EventPage, BrokerError>) -> Void
    ) {
        let page = state.withLock { $0.pages[topic] }
        guard var page else {
            return completion(
                .failure(BrokerError(.topicNotFound, "There is no topic '\(topic)'.")))
        }
        page.events = Array(page.events.filter { $0.offset > after }.prefix(events))
        completion(.success(page))
    }

    func offsets(
        of topics: [TopicName], at time: Timestamp,
        completion: @escaping @Sendable (Result<LogAnswers<Offset>, BrokerError>) -> Void
    ) {
        let pages = state.withLock(\.pages)
        var offsets: [TopicName: Offset] = [:]
        for topic in topics {
            guard let page = pages[topic] else { continue }
            offsets[topic] =
                page.events.first { $0.time >= time }?.offset ?? page.position.latest + 1
        }
        completion(.success(LogAnswers(offsets, in: "")))
    }

    func resume(
        _ cursors: [TopicName: Cursor],
        completion: @escaping @Sendable (Result<LogAnswers<Resumption>, BrokerError>) -> Void
    ) {
        let answer = state.withLock { state in
            state.resumed.append(cursors)
            return state.resumption
        }
        tell {
            let answers = answer.map { answer in cursors.mapValues { _ in answer } } ?? [:]
            completion(.success(LogAnswers(answers, in: "")))
        }
    }

    func describe(_ topic: TopicName) async throws(BrokerError) -> TopicDescription? {
        state.withLock { $0.topics[topic] }
    }

    func list(
        matching patterns: [TopicPattern], after: TopicName?, count: Int
    ) async throws(BrokerError) -> [TopicDescription] {
        let found = state.withLock { state in
            state.topics.values.filter { topic in
                let name = topic.position.topic
                return name.text > after?.text ?? ""
                    && patterns.contains { $0.matches(name) }
            }
        }
        return Array(found.sorted { $0.position.topic.text < $1.position.topic.text }.prefix(count))
    }

    func create(
        _ topic: TopicName, settings: TopicSettings
    ) async throws(BrokerError) -> TopicDescription {
        let (isNew, description) = state.withLock { state in
            let isNew = state.topics[topic] == nil
            let description = TopicDescription(
                position: TopicPosition(
                    topic: topic, epoch: Self.epoch, earliest: 1, latest: 0),
                settings: settings, revision: 1, bytes: 0, created: Self.time)
            if isNew { state.topics[topic] = description }
            return (isNew, description)
        }
        guard isNew else { throw BrokerError(.topicExists, "The topic '\(topic)' exists.") }
        return description
    }

    func alter(
        _ topic: TopicName, _ changes: TopicChanges, ifRevision: Int?
    ) async throws(BrokerError) -> TopicDescription {
        try change(topic, ifRevision) { description throws(BrokerError) in
            let settings = try description.settings(after: changes)
            if settings != description.settings { description.revision += 1 }
            description.settings = settings
        }
    }

    func delete(
        _ topic: TopicName, ifRevision: Int?
    ) async throws(BrokerError) -> TopicDescription {
        let description = try change(topic, ifRevision) { _ in }
        state.withLock { $0.topics[topic] = nil }
        return description
    }

    func purge(
        _ topic: TopicName, before: Offset, ifRevision: Int?
    ) async throws(BrokerError) -> TopicPurge {
        let earliest = state.withLock { $0.topics[topic]?.position.earliest ?? 1 }
        let description = try change(topic, ifRevision) { description in
            let end = description.position.latest + 1
            description.position.earliest = max(earliest, min(before, end))
        }
        return TopicPurge(topic: description, events: description.position.earliest - earliest)
    }

    private func change(
        _ topic: TopicName, _ ifRevision: Int?,
        _ body: (inout TopicDescription) throws(BrokerError) -> Void
    ) throws(BrokerError) -> TopicDescription {
        let result: Result<TopicDescription, BrokerError> = state.withLock { state in
            guard var description = state.topics[topic] else {
                return .failure(BrokerError(.topicNotFound, "There is no topic '\(topic)'."))
            }
            do throws(BrokerError) {
                try description.requireRevision(ifRevision)
                try body(&description)
            } catch {
                return .failure(error)
            }
            state.topics[topic] = description
            return .success(description)
        }
        return try result.get()
    }

    var isReady: Bool { state.withLock(\.isReady) }
    var parts: [LogPart] { state.withLock(\.parts) }

    func offsets(
        of topics: [TopicName], asOf mark: LogMark,
        completion: @escaping @Sendable (Result<LogAnswers<Offset>, BrokerError>) -> Void
    ) {
        offsets(of: topics, at: mark.bound, completion: completion)
    }

    // The HTTP endpoint follows nothing, and issues no marks.
    func mark(completion: @escaping @Sendable (Result<LogMark, BrokerError>) -> Void) {}
    func follow(
        _ topics: [TopicName],
        completion: @escaping @Sendable (Result<[TopicPosition], BrokerError>) -> Void
    ) {}
    func unfollow(_ topics: [TopicName]) {}
    func follow(
        matching patterns: [TopicPattern],
        completion: @escaping @Sendable (Result<Void, BrokerError>) -> Void
    ) {}
    func unfollow(matching patterns: [TopicPattern]) {}
    func overflow(of topic: TopicName) -> OverflowPolicy? { nil }

    func topics(matching patterns: [TopicPattern], after: TopicName?, count: Int) -> [TopicName] {
        []
    }
}
