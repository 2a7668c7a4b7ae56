import EventModel
import MemoryLog
import Synchronization

/// Answers of a log that are held back until the test wants them.
final class HeldQuestions: Sendable {
    private let held = Mutex<[@Sendable () -> Void]>([])

    var count: Int { held.withLock { $0.count } }

    func hold(_ answer: @escaping @Sendable () -> Void) { held.withLock { $0.append(answer) } }

    func answer() {
        let answers = held.withLock { held in
            defer { held = [] }
            return held
        }
        for answer in answers { answer() }
    }
}

/// A sink that is told nothing until the test wants it, as of a node that has not heard yet.
final class HeldSink: LogSink {
    private let sink: any LogSink
    /// `nil` once nothing is held back.
    private let held = Mutex<[@Sendable (any LogSink) -> Void]?>(nil)

    init(_ sink: any LogSink) { self.sink = sink }

    func hold() { held.withLock { $0 = [] } }

    func release() {
        held.withLock { held in
            for call in held ?? [] { call(sink) }
            held = nil
        }
    }

    private func tell(_ call: @escaping @Sendable (any LogSink) -> Void) {
        held.withLock { held in
            if held == nil { call(sink) } else { held?.append(call) }
        }
    }

    func appended(_ events: [Event], to position: TopicPosition) {
        tell { $0.appended(events, to: position) }
    }

    func created(_ topics: [TopicName]) { tell { $0.created(topics) } }

    func deleted(_ topic: TopicName, at position: TopicPosition?) {
        tell { $0.deleted(topic, at: position) }
    }

    func purged(_ topic: TopicName, earliest: Offset, at position: TopicPosition?) {
        tell { $0.purged(topic, earliest: earliest, at: position) }
    }

    func restarted(_ position: TopicPosition, fork: Offset, from old: TopicPosition) {
        tell { $0.restarted(position, fork: fork, from: old) }
    }
}

/// A log in memory that holds back what became of cursors and of appends, and tells what it is asked.
struct ObservedLog: EventLog {
    private let log: MemoryLog
    private let held: HeldQuestions
    /// `nil`: appends are answered at once.
    private let heldAppends: HeldQuestions?
    /// `nil`: marks are answered at once.
    private let heldMarks: HeldQuestions?
    private let appending: @Sendable (AppendRequest) -> Void
    private let following: @Sendable () -> Void
    private let knowsTopics: Bool

    /// `knowsTopics`: Otherwise no pattern matches one that exists already.
    init(
        _ log: MemoryLog, _ held: HeldQuestions = HeldQuestions(), appends: HeldQuestions? = nil,
        marks: HeldQuestions? = nil,
        appending: @escaping @Sendable (AppendRequest) -> Void = { _ in },
        following: @escaping @Sendable () -> Void = {}, knowsTopics: Bool = true
    ) {
        self.log = log
        self.knowsTopics = knowsTopics
        self.held = held
        heldAppends = appends
        heldMarks = marks
        self.appending = appending
        self.following = following
    }

    func resume(
        _ cursors: [TopicName: Cursor],
        completion: @escaping @Sendable (Result<LogAnswers<Resumption>, BrokerError>) -> Void
    ) {
        held.hold { [log] in log.resume(cursors, completion: completion) }
    }

    func unfollow(_ topics: [TopicName]) { log.unfollow(topics) }

    func append(_ request: AppendRequest, completion: @escaping AppendCompletion) {
        appending(request)
        log.append(request) { [heldAppends] result in
            guard let heldAppends else { return completion(result) }
            heldAppends.hold { completion(result) }
        }
    }

    func follow(
        _ topics: [TopicName],
        completion: @escaping @Sendable (Result<[TopicPosition], BrokerError>) -> Void
    ) {
        following()
        log.follow(topics, completion: completion)
    }

    func follow(
        matching patterns: [TopicPattern],
        completion: @escaping @Sendable (Result<Void, BrokerError>) -> Void
    ) {
        log.follow(matching: patterns, completion: completion)
    }

    func unfollow(matching patterns: [TopicPattern]) { log.unfollow(matching: patterns) }

    func topics(matching patterns: [TopicPattern], after: TopicName?, count: Int) -> [TopicName] {
        knowsTopics ? log.topics(matching: patterns, after: after, count: count) : []
    }

    func overflow(of topic: TopicName) -> OverflowPolicy? { log.overflow(of: topic) }

    func page(
        of topic: TopicName, after: Offset, events: Int, bytes: Int,
        completion: @escaping @Sendable (Result<EventPage, BrokerError>) -> Void
    ) {
        log.page(of: topic, after: after, events: events, bytes: bytes, completion: completion)
    }

    func offsets(
        of topics: [TopicName], at time: Timestamp,
        completion: @escaping @Sendable (Result<LogAnswers<Offset>, BrokerError>) -> Void
    ) {
        log.offsets(of: topics, at: time, completion: completion)
    }

    func mark(completion: @escaping @Sendable (Result<LogMark, BrokerError>) -> Void) {
        if let heldMarks {
            heldMarks.hold { [log] in log.mark(completion: completion) }
        } else {
            log.mark(completion: completion)
        }
    }

    func offsets(
        of topics: [TopicName], asOf mark: LogMark,
        completion: @escaping @Sendable (Result<LogAnswers<Offset>, BrokerError>) -> Void
    ) {
        log.offsets(of: topics, asOf: mark, completion: completion)
    }

    func describe(_ topic: TopicName) async throws(BrokerError) -> TopicDescription? {
        try await log.describe(topic)
    }

    func list(
        matching patterns: [TopicPattern], after: TopicName?, count: Int
    ) async throws(BrokerError) -> [TopicDescription] {
        try await log.list(matching: patterns, after: after, count: count)
    }

    func create(
        _ topic: TopicName, settings: TopicSettings
    ) async throws(BrokerError) -> TopicDescription {
        try await log.create(topic, settings: settings)
    }

    func alter(
        _ topic: TopicName, _ changes: TopicChanges, ifRevision: Int?
    ) async throws(BrokerError) -> TopicDescription {
        try await log.alter(topic, changes, ifRevision: ifRevision)
    }

    func delete(
        _ topic: TopicName, ifRevision: Int?
    ) async throws(BrokerError) -> TopicDescription {
        try await log.delete(topic, ifRevision: ifRevision)
    }

    func purge(
        _ topic: TopicName, before: Offset, ifRevision: Int?
    ) async throws(BrokerError) -> TopicPurge {
        try await log.purge(topic, before: before, ifRevision: ifRevision)
    }

    var isReady: Bool { log.isReady }
}
