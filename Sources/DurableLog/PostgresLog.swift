package import EventModel
package import Logging
package import PostgresBridge
internal import Synchronization

/// The log in PostgreSQL: committed events, the topics, and the tokens (doc:AppendAndFollow,
/// doc:Log).
///
/// Its folders are the way of an event: `Append` commits it, `Follow` tells the fan-out, `Read`
/// serves pages, `Housekeeping` lets it go. Each has threads and connections of its own; what they
/// share is in `LogContext`.
package final class PostgresLog: EventLog {
    private enum Life {
        case created
        case started
        case stopped
    }

    let context: LogContext
    private let followed: FollowedTopics
    /// Looks topics up for both kinds of appends.
    private let topics: ReadInbox
    private let appends: AppendInbox
    private let ephemera: AppendInbox
    let reads: ReadInbox
    /// Apart from the log's reads: replays and the check of who asks must not wait for each other.
    let tokenReads: ReadInbox
    let lookups = SharedQuestions<TokenLookup.Key, TokenLookup>()
    let redemptions = SharedQuestions<Everybody, TicketRedemption>()
    private let follows: FollowInbox
    private let housekeeper: Housekeeper
    private let life = Mutex(Life.created)

    /// Prepares a log; nothing connects before `start`.
    ///
    /// - Parameters:
    ///   - configuration: For all connections.
    ///   - listenConninfo: The server itself, when the configuration leads to a pooler.
    ///   - limits: Of the queue before the log, of pages, and of an outcome's delay.
    ///   - createsTopics: May an append create topics at all, as long as the database says so?
    ///   - announces: Is there another node that wants to hear of appends at once?
    ///   - logger: Payloads and secrets are never logged.
    package init(
        configuration: PostgresConfiguration, listenConninfo: String? = nil,
        limits: Limits = Limits(), createsTopics: Bool = true,
        announces: Bool = true, logger: Logger
    ) {
        context = LogContext(
            configuration: configuration, listenConninfo: listenConninfo, limits: limits,
            createsTopics: createsTopics, logger: logger)
        followed = FollowedTopics(heldBytesMax: limits.topicHeldBytesMax)
        housekeeper = Housekeeper(context)
        follows = FollowInbox(context, followed, housekeeper)
        topics = ReadInbox(context, role: "topics", threadCount: 1)
        ephemera = AppendInbox(ephemera: context, followed, follows, topics: topics)
        appends = AppendInbox(ephemera, announces: announces)
        reads = ReadInbox(context, role: "reader", threadCount: limits.readerCount)
        tokenReads = ReadInbox(context, role: "tokens", threadCount: 1)
    }

    /// Starts the threads; connections come up when the database does.
    ///
    /// Once.
    package func start(sink: any LogSink) {
        let isFirst = life.withLock { life in
            defer { if life == .created { life = .started } }
            return life == .created
        }
        precondition(isFirst, "bug: the log was started before")
        followed.begin(sink: sink)
        follows.start()
        topics.start()
        ephemera.start()
        appends.start()
        reads.start()
        tokenReads.start()
        housekeeper.start()
    }

    /// Refuses new appends with `draining`, finishes those in flight, and ends the threads.
    ///
    /// Blocks, for `outcomeTimeout` and a connect at the most; not for an event loop.
    package func stop() {
        let isStarted = life.withLock { life in
            defer { life = .stopped }
            return life == .started
        }
        guard isStarted else { return }
        appends.drain()
        ephemera.drain()
        appends.stop()
        ephemera.stop()
        topics.stop()
        housekeeper.stop()
        reads.stop()
        tokenReads.stop()
        follows.stop()
    }

    // MARK: EventLog

    package var isReady: Bool {
        appends.isUp && ephemera.isUp && follows.isListening
            && !parts.contains { $0.isNeeded && $0.state == .stuck }
    }

    package var parts: [LogPart] {
        [appends.watch.part, ephemera.watch.part, follows.watch.part, housekeeper.watch.part]
    }

    package func append(_ request: AppendRequest, completion: @escaping AppendCompletion) {
        appends.append(request, completion: completion)
    }

    /// As `append`, of several in one turn of a loop: the log may not look at it before
    /// `wakeAppends`, which the same turn has to call behind the last.
    package func appendLater(_ request: AppendRequest, completion: @escaping AppendCompletion) {
        appends.append(request, wakes: false, completion: completion)
    }

    /// Has the log look at what came by `appendLater`: one system call at the most, and none while
    /// it is at work.
    package func wakeAppends() { appends.wake() }

    package func follow(
        _ topics: [TopicName],
        completion: @escaping @Sendable (Result<[TopicPosition], BrokerError>) -> Void
    ) {
        follows.leave(
            .follow(
                FollowRequest(
                    topics: topics, completion: completion,
                    deadline: .now + context.limits.reconnectTimeout)))
    }

    package func unfollow(_ topics: [TopicName]) { follows.leave(.unfollow(topics)) }

    package func follow(
        matching patterns: [TopicPattern],
        completion: @escaping @Sendable (Result<Void, BrokerError>) -> Void
    ) {
        follows.leave(
            .follow(
                FollowRequest(
                    topics: [], patterns: patterns,
                    completion: { result in completion(result.map { _ in }) },
                    deadline: .now + context.limits.reconnectTimeout)))
    }

    package func unfollow(matching patterns: [TopicPattern]) {
        follows.leave(.unfollowPatterns(patterns))
    }

    package func topics(
        matching patterns: [TopicPattern], after: TopicName?, count: Int
    ) -> [TopicName] {
        context.catalog.topics(matching: patterns, after: after, count: count)
    }

    package func overflow(of topic: TopicName) -> OverflowPolicy? {
        context.catalog.overflow(of: topic)
    }

    package func page(
        of topic: TopicName, after: Offset, events: Int, bytes: Int,
        completion: @escaping @Sendable (Result<EventPage, BrokerError>) -> Void
    ) {
        reads.page(of: topic, after: after, events: events, bytes: bytes, completion: completion)
    }

    package func offsets(
        of topics: [TopicName], at time: Timestamp,
        completion: @escaping @Sendable (Result<LogAnswers<Offset>, BrokerError>) -> Void
    ) {
        reads.offsets(of: topics, at: time, completion: completion)
    }

    package func resume(
        _ cursors: [TopicName: Cursor],
        completion: @escaping @Sendable (Result<LogAnswers<Resumption>, BrokerError>) -> Void
    ) {
        reads.resume(cursors, completion: completion)
    }

    package func mark(completion: @escaping @Sendable (Result<LogMark, BrokerError>) -> Void) {
        reads.mark(completion: completion)
    }

    package func offsets(
        of topics: [TopicName], asOf mark: LogMark,
        completion: @escaping @Sendable (Result<LogAnswers<Offset>, BrokerError>) -> Void
    ) {
        reads.offsets(of: topics, asOf: mark, completion: completion)
    }

    package func describe(_ topic: TopicName) async throws(BrokerError) -> TopicDescription? {
        try await reads.describe(topic)
    }

    package func list(
        matching patterns: [TopicPattern], after: TopicName?, count: Int
    ) async throws(BrokerError) -> [TopicDescription] {
        try await reads.list(matching: patterns, after: after, count: count)
    }

    package func create(
        _ topic: TopicName, settings: TopicSettings
    ) async throws(BrokerError) -> TopicDescription {
        defer { follows.catalogChanged() }
        return try await reads.create(topic, settings: settings)
    }

    package func alter(
        _ topic: TopicName, _ changes: TopicChanges, ifRevision: Int?
    ) async throws(BrokerError) -> TopicDescription {
        defer { follows.catalogChanged() }
        return try await reads.alter(topic, changes, ifRevision: ifRevision)
    }

    package func delete(
        _ topic: TopicName, ifRevision: Int?
    ) async throws(BrokerError) -> TopicDescription {
        defer { follows.catalogChanged() }
        return try await reads.delete(topic, ifRevision: ifRevision)
    }

    package func purge(
        _ topic: TopicName, before: Offset, ifRevision: Int?
    ) async throws(BrokerError) -> TopicPurge {
        defer { follows.catalogChanged() }
        return try await reads.purge(topic, before: before, ifRevision: ifRevision)
    }
}
