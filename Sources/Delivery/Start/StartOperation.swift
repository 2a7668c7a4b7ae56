package import AccessControl
package import EventModel
package import FanOut
internal import NIOCore
package import SessionProtocol

/// Fixes where a subscription begins: follows what its patterns match, and the topics that it names
/// or has cursors of; then asks the log what this node does not know of these.
///
/// The others are live when it joins, or begin in its walk (`StartWalk`). Confined to its event
/// loop. The subscription is registered before anything is asked, so a topic that comes into being
/// meanwhile is not missed.
package final class StartOperation {
    /// What a subscription asks for, as far as its sender may have it.
    package struct Question {
        package private(set) var patterns: [TopicPattern]
        package var from: StartPosition
        package private(set) var cursors: [TopicName: Cursor]
        /// The patterns are fewer than what was asked for.
        package private(set) var isNarrowed = false
        /// The topics that the client has named; one that is left of a pattern is not among them.
        package private(set) var named: [TopicName]
        /// What many patterns and many grants may have in common.
        static let narrowedMax = 1_000
        /// `from` is the client's own word; otherwise it is what is left of one that was fixed.
        var isAsked = true

        /// - Throws: `forbidden` if nothing is left of the patterns; `subscription_limit` if more
        ///   than `narrowedMax` are.
        package init(
            patterns: [TopicPattern], from: StartPosition, cursors: [TopicName: Cursor] = [:],
            by permission: Permission
        ) throws(BrokerError) {
            self.patterns = patterns
            self.from = from
            self.cursors = cursors
            named = patterns.compactMap(\.exactName)
            try narrow(permission.may(subscribe:))
        }

        /// Leaves what the sender may have; a cursor is as good as a name, so it is checked, too.
        mutating func narrow(
            _ scope: (TopicPattern) -> Permission.Scope
        ) throws(BrokerError) {
            let scopes = patterns.map(scope)
            guard scopes.contains(where: { $0 != .all }) else { return }
            var allowed: [TopicPattern] = []
            var kept: [TopicName] = []
            for (pattern, scope) in zip(patterns, scopes) {
                switch scope {
                case .all:
                    allowed.append(pattern)
                    if let name = pattern.exactName { kept.append(name) }
                case .none: break
                case .narrowed(let fewer): allowed += fewer
                }
            }
            guard !allowed.isEmpty else {
                throw BrokerError(
                    .forbidden, "The token does not allow to subscribe to \(patterns[0]).")
            }
            var seen: Set<TopicPattern> = []
            allowed.removeAll { !seen.insert($0).inserted }
            guard allowed.count <= max(patterns.count, Self.narrowedMax) else {
                throw BrokerError(
                    .subscriptionLimit,
                    "The patterns and the token's have \(allowed.count) others in common.",
                    remedy: "Subscribe to fewer patterns at a time.")
            }
            patterns = allowed
            named = kept
            isNarrowed = true
            let tree = PatternTree(allowed)
            cursors = cursors.filter { topic, _ in tree.matches(topic) }
        }

        /// Its patterns that match more than one topic.
        var wildcards: [TopicPattern] { patterns.filter { $0.exactName == nil } }

        /// A start in the log of a topic that has none is refused if it was named; a pattern's
        /// topics go live.
        ///
        /// - Throws: `ephemeral_topic`.
        func check(_ positions: [TopicPosition]) throws(BrokerError) {
            guard isAsked else { return }
            let named = Set(named)
            for position in positions
            where named.contains(position.topic) && cursors[position.topic] == nil {
                try from.checkFits(position)
            }
        }

        /// The topic that does not exist has no offset but the next, 1.
        ///
        /// - Throws: `invalid_start`.
        func checkFitsNewTopic() throws(BrokerError) {
            guard case .offset(let offset) = from, offset > 1, cursors.isEmpty,
                let topic = patterns.first?.exactName
            else { return }
            throw BrokerError(
                .invalidStart,
                "\(topic) does not exist yet, and \(offset) is beyond its first offset.",
                remedy: "Start at offset 1, or at 'latest'.")
        }

        /// Topics of which the client has consumed something, and that have no start: they do not
        /// exist any more.
        package func gone(beside starts: [ReaderStart]) -> [TopicName] {
            var known = Set(cursors.keys)
            if case .after = from { known.formUnion(patterns.compactMap(\.exactName)) }
            return Array(known.subtracting(starts.map(\.feed.topic)))
        }
    }

    private let question: Question
    private let loop: LoopDelivery
    private let log: any EventLog
    private let completion: (Result<[ReaderStart], BrokerError>) -> Void
    /// The wildcards' topics are followed.
    private var isMatchingFollowed = false
    private var topics: [TopicName] = []
    private var starts: [TopicName: ReaderStart] = [:]
    /// The topics' epochs when the log was asked; an answer is worth nothing in another
    /// incarnation: below, what was consumed may be lost, and above, the topic's end may lie beyond
    /// what this node was told.
    private var epochs: [TopicName: Epoch] = [:]
    /// Questions to the log that are open.
    private var openCount = 0
    private var failure: BrokerError?
    /// The database has another life of this topic, or of the log, than this node was told of.
    private var untold: TopicName?
    private var waitsLeft = waitsMax
    /// The node reads the catalog each second at least.
    private static let waitsMax = 20
    private static let waitTime = TimeAmount.milliseconds(250)

    /// Calls `completion` once, on the loop, with the starts of the topics that exist and that are
    /// named or have cursors.
    package init(
        _ question: Question, loop: LoopDelivery, log: any EventLog,
        completion: @escaping (Result<[ReaderStart], BrokerError>) -> Void
    ) {
        self.question = question
        self.loop = loop
        self.log = log
        self.completion = completion
    }

    /// Starts looking; positions in time count back from `now`.
    package func run(now: Moment) { look(now: now.time) }

    private func look(now: Timestamp) {
        let wildcards = question.wildcards
        guard wildcards.isEmpty || isMatchingFollowed else {
            return loop.follow(matching: wildcards) { [self] result in
                switch result {
                case .success:
                    isMatchingFollowed = true
                    look(now: now)
                case .failure(let error): completion(.failure(error))
                }
            }
        }
        // One with a cursor may have been created at another node a moment ago, so that this one
        // does not match it yet; to follow it is to ask the database for it.
        topics = Array(
            Set(question.patterns.compactMap(\.exactName)).union(question.cursors.keys))
        let unknown = topics.filter { !loop.shard.follows($0) }
        guard !unknown.isEmpty else { return begin(now: now) }
        loop.follow(unknown) { [self] result in
            switch result {
            case .success: begin(now: now)
            case .failure(let error): completion(.failure(error))
            }
        }
    }

    private func begin(now: Timestamp) {
        let feeds = topics.compactMap { loop.shard.feed(of: $0) }
        do throws(BrokerError) {
            try question.check(feeds.map(\.position))
            if feeds.isEmpty { try question.checkFitsNewTopic() }
        } catch {
            return completion(.failure(error))
        }
        starts = [:]
        untold = nil
        epochs = Dictionary(uniqueKeysWithValues: feeds.map { ($0.topic, $0.epoch) })
        let plan = StartPlan(
            positions: feeds.map(\.position), from: question.from, cursors: question.cursors)
        for (topic, cursor) in plan.cursors { start(topic, after: cursor, reset: nil) }
        openCount = 1
        if !plan.toResume.isEmpty { resume(plan.toResume, now) }
        if !plan.toSearch.isEmpty { search(plan.toSearch, now) }
        if let (topic, offset) = plan.toCheck { check(topic, offset, now) }
        answered(now: now)
    }

    private func start(_ topic: TopicName, after cursor: Offset, reset: ResetReason?) {
        guard let feed = loop.shard.feed(of: topic) else { return }
        starts[topic] = ReaderStart(feed: feed, cursor: cursor, reset: reset)
    }

    private func resume(_ cursors: [TopicName: Cursor], _ now: Timestamp) {
        log.resume(
            cursors,
            completion: answer(now) { operation, resumptions in
                for (topic, resumption) in resumptions.topics {
                    guard let cursor = cursors[topic],
                        operation.isTold(of: topic, in: resumptions.incarnation)
                    else { continue }
                    operation.resume(topic, after: cursor, resumption)
                }
            })
    }

    /// Whether the answer is about the topic as this loop has it.
    private func isTold(of topic: TopicName, in incarnation: String) -> Bool {
        let isTold = epochs[topic]?.incarnation == incarnation
        if !isTold { untold = topic }
        return isTold
    }

    private func resume(_ topic: TopicName, after cursor: Cursor, _ resumption: Resumption) {
        let isOfKnownLife = cursor.epoch.topicID == epochs[topic]?.topicID
        switch resumption {
        case .goesOn where isOfKnownLife: start(topic, after: cursor.offset, reset: nil)
        case .reset(let fork, .restored) where isOfKnownLife:
            start(topic, after: fork, reset: .restored)
        case .reset(let fork, .recreated) where !isOfKnownLife:
            start(topic, after: fork, reset: .recreated)
        case .reset(_, .deleted): break  // This node will be told, too.
        case .goesOn, .reset: untold = topic
        }
    }

    private func search(_ topics: [TopicName], _ now: Timestamp) {
        let from = question.from
        log.firstOffsets(
            of: topics, from: from, now: now,
            completion: answer(now) { operation, offsets in
                for (topic, first) in offsets.topics {
                    guard operation.isTold(of: topic, in: offsets.incarnation),
                        let feed = operation.loop.shard.feed(of: topic)
                    else { continue }
                    let cursor = from.cursor(first: first, earliest: feed.position.earliest)
                    operation.start(topic, after: cursor, reset: nil)
                }
            })
    }

    private func check(_ topic: TopicName, _ offset: Offset, _ now: Timestamp) {
        log.page(
            of: topic, after: offset - 1, events: 1, bytes: 1,
            completion: answer(now) {
                operation, page in
                let incarnation = page.position.epoch.incarnation
                guard operation.isTold(of: topic, in: incarnation) else { return }
                let latest = page.position.latest
                if offset <= latest + 1 {
                    operation.start(topic, after: offset - 1, reset: nil)
                } else {
                    operation.failure = BrokerError(
                        .invalidStart,
                        "\(topic) ends at offset \(latest); \(offset) is beyond the next.",
                        remedy: "Start at an offset up to \(latest + 1), or at 'latest'.")
                }
            })
    }

    /// A completion that comes back to the loop.
    private func answer<Answer: Sendable>(
        _ now: Timestamp, _ take: @escaping (StartOperation, Answer) -> Void
    ) -> @Sendable (Result<Answer, BrokerError>) -> Void {
        openCount += 1
        let bound = NIOLoopBound((self, take), eventLoop: loop.eventLoop)
        return { result in
            bound.eventLoop.execute {
                let (operation, take) = bound.value
                switch result {
                case .success(let answer): take(operation, answer)
                case .failure(let error): operation.failure = error
                }
                operation.answered(now: now)
            }
        }
    }

    private func answered(now: Timestamp) {
        openCount -= 1
        guard openCount == 0 else { return }
        if let failure { return completion(.failure(failure)) }
        if let untold { return waitToBeTold(of: untold, now) }
        // Whether a topic was deleted, or only not followed meanwhile, the log says.
        let hasChanged = epochs.contains { loop.shard.feed(of: $0)?.epoch != $1 }
        if hasChanged { return look(now: now) }
        completion(.success(Array(starts.values)))
    }

    /// A start in the life that this node still has would be told to be over at once, and
    /// everything would come again.
    private func waitToBeTold(of topic: TopicName, _ now: Timestamp) {
        guard waitsLeft > 0 else {
            return completion(
                .failure(
                    BrokerError(
                        .databaseUnavailable,
                        "This node has not been told of the newest life of \(topic) yet.")))
        }
        waitsLeft -= 1
        loop.eventLoop.assumeIsolated().scheduleTask(in: Self.waitTime) { self.look(now: now) }
    }
}

@available(*, unavailable) extension StartOperation: Sendable {}
