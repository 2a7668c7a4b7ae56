/// The log as endpoints know it: append, follow, read, and the topics.
///
/// Data paths answer through a completion, which is called exactly once, on any thread, and must
/// not block. Control paths are `async`. Implementations: `DurableLog` on PostgreSQL; an in-memory
/// log in the tests; one contract suite runs on both.
package protocol EventLog: Sendable {
    /// Appends a request's events, in one commit with those of other requests.
    ///
    /// Errors: `topic_not_found`, `head_moved`, `idempotency_conflict` (do not retry);
    /// `publisher_overloaded`, `rate_limited`, `database_unavailable` with `committed: no` (retry);
    /// `outcome_unknown` with `committed: unknown`. Two requests to one topic from one thread are
    /// appended in the order of the calls, also where a condition has to be checked first.
    ///
    /// An ephemeral topic's events get offsets and reach the sinks of all nodes, and are kept
    /// nowhere: `ephemeral_topic` for what needs a log (`AppendRequest.refusal(ofEphemeral:)`), and
    /// `outcome_unknown` after a lost connection, as nobody could tell.
    func append(_ request: AppendRequest, completion: @escaping AppendCompletion)

    /// Begins to follow topics: after the completion, the sink gets every event above each
    /// position's `latest`.
    ///
    /// The completion and the sink's calls are serialised: nothing overtakes. Topics that do not
    /// exist are left out of the answer; they come through `LogSink.created`. The database is
    /// asked before one is left out, as another node may have created it a moment ago. Following
    /// twice is answered anew and costs nothing. Errors: `database_unavailable` (retry).
    func follow(
        _ topics: [TopicName],
        completion: @escaping @Sendable (Result<[TopicPosition], BrokerError>) -> Void)

    /// Ends following; the sink gets nothing more of these topics, but of those that match a
    /// pattern which is followed.
    func unfollow(_ topics: [TopicName])

    /// Begins to follow every topic that matches: after the completion, the sink gets every event
    /// above where each stood then, though nobody was told the positions.
    ///
    /// The heads of all are read at once, so it costs no look at each a second time. One that is
    /// newer comes through `LogSink.created`, and whoever wants it whole asks to follow it. The
    /// completion is serialised like that of a topic. Errors: `database_unavailable` (retry).
    func follow(
        matching patterns: [TopicPattern],
        completion: @escaping @Sendable (Result<Void, BrokerError>) -> Void)

    /// Ends following a pattern; topics that are followed by name or by another stay.
    func unfollow(matching patterns: [TopicPattern])

    /// The existing topics that one of the patterns matches, as this node knows them: at most
    /// `count` behind `after`, by name.
    ///
    /// One that is newer comes through `LogSink.created`, before the completion of a `follow` that
    /// is asked behind this.
    func topics(
        matching patterns: [TopicPattern], after: TopicName?, count: Int
    ) -> [TopicName]

    /// The topic's own policy, as this node knows it: what was set reaches it within 2 s.
    ///
    /// Answers at once, from memory.
    func overflow(of topic: TopicName) -> OverflowPolicy?

    /// Reads events after an offset. Equal questions at the same time share one read.
    ///
    /// Errors: `topic_not_found`, `database_unavailable` (retry).
    func page(
        of topic: TopicName, after: Offset, events: Int, bytes: Int,
        completion: @escaping @Sendable (Result<EventPage, BrokerError>) -> Void)

    /// The first offset of each topic whose event's time is not before `time`; `latest + 1` if
    /// there is none.
    func offsets(
        of topics: [TopicName], at time: Timestamp,
        completion: @escaping @Sendable (Result<LogAnswers<Offset>, BrokerError>) -> Void)

    /// May a subscriber with these cursors go on? Asked of the database, as a node's own head may
    /// be old.
    func resume(
        _ cursors: [TopicName: Cursor],
        completion: @escaping @Sendable (Result<LogAnswers<Resumption>, BrokerError>) -> Void)

    /// A time below which nothing can commit any more in the incarnation that is in force.
    ///
    /// Everybody who asks at the same time shares one question. Errors: `database_unavailable`
    /// (retry).
    func mark(completion: @escaping @Sendable (Result<LogMark, BrokerError>) -> Void)

    /// The first offset of each topic that is new since a mark; `latest + 1` if none is, and below
    /// `earliest` where it is known that what was new first is gone.
    ///
    /// What later incarnations appended is new whatever its time, and everything is that is kept
    /// when the log does not know the mark's incarnation. An ephemeral topic has nothing new.
    func offsets(
        of topics: [TopicName], asOf mark: LogMark,
        completion: @escaping @Sendable (Result<LogAnswers<Offset>, BrokerError>) -> Void)

    /// One topic with its settings; `nil` if there is none.
    func describe(_ topic: TopicName) async throws(BrokerError) -> TopicDescription?

    /// Topics that one of the patterns matches, by name, above `after`.
    func list(
        matching patterns: [TopicPattern], after: TopicName?, count: Int
    ) async throws(BrokerError) -> [TopicDescription]

    // What changes topics acts on every node within 2 s, on this one at once. It throws
    // `database_unavailable` when nothing was changed (retry), and `outcome_unknown` when the
    // database was lost at the commit. With `ifRevision`, settings of another revision are
    // `revision_moved`; what is done to a topic that does not exist is `topic_not_found`.

    /// Creates a topic.
    ///
    /// - Throws: Also `topic_exists` when there is one of the name.
    func create(
        _ topic: TopicName, settings: TopicSettings
    ) async throws(BrokerError) -> TopicDescription

    /// Changes settings of a topic; changes that change nothing leave the revision.
    ///
    /// - Returns: The topic as it is now.
    func alter(
        _ topic: TopicName, _ changes: TopicChanges, ifRevision: Int?
    ) async throws(BrokerError) -> TopicDescription

    /// Deletes a topic with its events; the name is free at once.
    ///
    /// - Returns: The topic as it was.
    func delete(
        _ topic: TopicName, ifRevision: Int?
    ) async throws(BrokerError) -> TopicDescription

    /// Takes away the events below an offset, or all when it is beyond the head.
    func purge(
        _ topic: TopicName, before: Offset, ifRevision: Int?
    ) async throws(BrokerError) -> TopicPurge

    /// Can events be appended and read now?
    var isReady: Bool { get }

    /// What its parts are about; for people, above all while it is not ready.
    var parts: [LogPart] { get }
}

extension EventLog {
    /// A log in one piece.
    package var parts: [LogPart] { [] }
}

/// How an append is answered: one receipt a part, in order.
package typealias AppendCompletion = @Sendable (Result<[AppendReceipt], BrokerError>) -> Void

/// What a log tells the fan-out.
///
/// One sink a node; calls are serialised, come on any thread and must not block. Of each followed
/// topic the sink is told a position (`follow`), and from there on every offset: in `appended`, or
/// passed over by `purged` when it cannot be read any more. Events never come behind a hole that
/// was not told: the log tells `purged` first, also for what it tells of an incarnation that has
/// ended, before `restarted`. Of an ephemeral topic, what `purged` passes over is lost.
package protocol LogSink: Sendable {
    /// Committed events of one followed topic, dense, right behind what was told of it.
    ///
    /// That is `position.latest`: `latest` of `follow`, the last of `appended`, `earliest - 1` of
    /// `purged`, `fork` of `restarted`, whichever came last; or, of a topic that only a pattern
    /// follows, where it stood when that began.
    func appended(_ events: [Event], to position: TopicPosition)

    /// What is told and answered in `body` goes to each event loop at once.
    func together(_ body: () -> Void)

    /// Topics that are new in the catalog, followed or not, before they are. Their first event
    /// is 1.
    func created(_ topics: [TopicName])

    /// A topic's name is gone; it is not followed any more.
    ///
    /// `position`: Up to where it was told; `nil` if it was not followed.
    func deleted(_ topic: TopicName, at position: TopicPosition?)

    /// Everything below `earliest` is not to be read any more, from caches neither.
    ///
    /// When it is beyond what was told, which `position` says of a followed topic, the topic's next
    /// events begin there.
    func purged(_ topic: TopicName, earliest: Offset, at position: TopicPosition?)

    /// The log began another incarnation (doc:Log): a followed topic, which was told up to `old`,
    /// goes on behind `fork`, with the position's epoch.
    ///
    /// Subscribers that consumed more than `fork` need a `reset`; for the others nothing happened.
    /// `fork` may be above what was told: who lacks what is between reads it from the log. Behind
    /// it, the sink gets every event above `fork`, and `purged` before them where the first are
    /// gone.
    func restarted(_ position: TopicPosition, fork: Offset, from old: TopicPosition)
}

extension LogSink {
    package func together(_ body: () -> Void) { body() }
}

/// Both ends of a topic, in one snapshot of the log.
package struct TopicPosition: Hashable, Sendable {
    package var topic: TopicName
    package var epoch: Epoch
    /// The oldest offset still kept; `latest + 1` when the topic is empty.
    package var earliest: Offset
    /// The newest committed offset; 0 before the first.
    package var latest: Offset
    /// It has no log: `earliest` is always `latest + 1`.
    package var isEphemeral: Bool

    package init(
        topic: TopicName, epoch: Epoch, earliest: Offset, latest: Offset, isEphemeral: Bool = false
    ) {
        self.topic = topic
        self.epoch = epoch
        self.earliest = earliest
        self.latest = latest
        self.isEphemeral = isEphemeral
    }
}

/// Events after an offset, and both ends of the topic, of one snapshot.
package struct EventPage: Sendable {
    package var position: TopicPosition
    /// What is missing below this was purged; above it, retention took it.
    package var purgedBelow: Offset
    /// Without holes.
    ///
    /// The first is `after + 1`, or `earliest` when that is higher.
    package var events: [Event]

    package init(position: TopicPosition, purgedBelow: Offset, events: [Event]) {
        self.position = position
        self.purgedBelow = purgedBelow
        self.events = events
    }
}

/// What the log says of topics; all of it holds in one incarnation.
package struct LogAnswers<Answer: Sendable>: Sendable {
    package var incarnation: String
    package var topics: [TopicName: Answer]

    package init(_ topics: [TopicName: Answer], in incarnation: String) {
        self.incarnation = incarnation
        self.topics = topics
    }

    package subscript(topic: TopicName) -> Answer? { topics[topic] }
}

/// What became of a cursor of another incarnation, or beyond the head.
package enum Resumption: Hashable, Sendable {
    /// Nothing that was consumed has been lost: go on behind the same offset.
    case goesOn
    /// Go on behind `fork`; what was consumed above it is not in the log.
    case reset(fork: Offset, reason: ResetReason)
}

/// Why a subscriber's position is not valid any more (doc:Session).
package enum ResetReason: String, CaseIterable, Sendable {
    case recreated
    case restored
    case deleted
}

/// Why offsets are not delivered (doc:Session).
package enum GapReason: String, CaseIterable, Sendable {
    case retention
    case purged
    case overflow
    case conflated
    case ephemeral
}
