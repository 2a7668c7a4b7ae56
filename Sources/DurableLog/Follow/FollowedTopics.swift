internal import DequeModule
internal import EventModel
internal import Synchronization

/// The followed topics of one node, each behind its gate, and the sink that is told in order.
///
/// Everything that reaches the sink does so under one lock: own appends on the append thread, what
/// other nodes appended on the following one. The sink and the completions of `follow` must not
/// call back into it; the log's methods only leave notes.
final class FollowedTopics: Sendable {
    /// A topic that is followed, by name or by a pattern.
    struct Followed {
        var topic: TopicName
        /// In the incarnation that holds now.
        var epoch: Epoch
        let isEphemeral: Bool
        /// Otherwise only because a pattern matches it.
        var isNamed = false
        var gate: TopicGate
        var earliest: Offset = 1
        /// Set from the end of an incarnation until the topic goes on in the next.
        var suspension: Suspension?
    }

    /// Where a topic stood when its incarnation ended.
    struct Suspension: Sendable {
        var incarnation: String
        var last: Offset
    }

    /// What the lock guards.
    struct State {
        /// Of each gate.
        let heldBytesMax: Int
        var sink: (any LogSink)?
        var incarnation = ""
        var followed: [Int32: Followed] = [:]
        var ids: [TopicName: Int32] = [:]
        /// Patterns of which every topic is followed.
        var patterns = PatternTree<TopicPattern>()
        /// Topics whose heads were not read yet.
        var unstarted: Set<Int32> = []
        var ephemeralCount = 0
        /// Topics that may have a hole, in the order in which it was found.
        var needy: Deque<Int32> = []
        var isNeedy: Set<Int32> = []
        /// Own batches whose events went to the gates: the journal need not tell them again.
        var settled: [Int64: Int64] = [:]
    }

    private let state: Mutex<State>

    /// `heldBytesMax`: Bytes of one topic's events that are held while a hole is read.
    init(heldBytesMax: Int) { state = Mutex(State(heldBytesMax: heldBytesMax)) }

    func begin(sink: any LogSink) { state.withLock { $0.sink = sink } }

    /// What is told and answered in `body` goes to each event loop at once.
    func together(_ body: () -> Void) {
        if let sink = state.withLock({ $0.sink }) { sink.together(body) } else { body() }
    }

    // MARK: What was heard

    /// Own events that were committed.
    ///
    /// `true`: a hole before them has to be read.
    func appended(
        _ appended: [AppendDeal.Appended], in incarnation: String, writer: Int64, seq: Int64
    ) -> Bool {
        state.withLock { state in
            guard state.incarnation == incarnation else { return false }
            let before = state.needy.count
            // Before the lock goes: whoever follows next must be behind these events in its loop.
            state.sink?.together {
                for run in appended { state.arrived(run.events, of: run.topicID) }
            }
            state.settled[writer] = seq
            return state.needy.count > before
        }
    }

    /// The writer is this node's, and its events come from there.
    func isOwn(_ writer: Int64) -> Bool { state.withLock { $0.settled[writer] != nil } }

    /// The log is said to have events of these topics up to these offsets.
    func heard(_ heads: some Sequence<(Int32, Offset)>, in incarnation: String) {
        state.withLock { state in
            guard state.incarnation == incarnation else { return }
            for (topicID, head) in heads where state.followed[topicID]?.isEphemeral == false {
                state.followed[topicID]?.gate.heard(head: head)
                state.checkHole(of: topicID)
            }
        }
    }

    /// Of what was notified, that which is about topics that are followed, are ephemeral and do not
    /// have it yet.
    func wanted(_ notices: [EphemeralNotice], in incarnation: String) -> [EphemeralNotice] {
        state.withLock { state in
            guard state.incarnation == incarnation else { return [] }
            return notices.filter { notice in
                guard let followed = state.followed[notice.topicID], followed.isEphemeral,
                    notice.incarnation == incarnation, let last = followed.gate.last
                else { return false }
                return notice.offset > last
            }
        }
    }

    /// Ephemeral events; what is missing between them is lost, up to the heads that the log has.
    ///
    /// - Returns: What was not taken in, because the heads of its topics, which `heads` lacks, have
    ///   to be read first; `nil` if that is nothing.
    func arrived(
        _ notices: [EphemeralNotice], in incarnation: String, heads: [Int32: Offset]
    ) -> (notices: [EphemeralNotice], topics: [Int32])? {
        state.withLock { state in
            guard state.incarnation == incarnation else { return nil }
            var rest: [EphemeralNotice] = []
            var topics: [Int32] = []
            for (topicID, ofTopic) in Dictionary(grouping: notices, by: \.topicID) {
                let taken = state.arrived(ofTopic, of: topicID, upTo: heads[topicID])
                guard taken < ofTopic.count else { continue }
                rest += ofTopic[taken...]
                topics.append(topicID)
            }
            return rest.isEmpty ? nil : (rest, topics)
        }
    }

    /// Whether an ephemeral topic is followed, or about to be.
    var hasEphemeral: Bool { state.withLock { $0.ephemeralCount > 0 } }

    /// Own writers and how far their batches went through the gates.
    var settled: [Int64: Int64] { state.withLock { $0.settled } }

    // MARK: Holes

    /// A topic with events to read, and behind which offset; one after the other.
    func nextHole() -> (topicID: Int32, after: Offset)? {
        state.withLock { state in
            while let topicID = state.needy.popFirst() {
                state.isNeedy.remove(topicID)
                if let after = state.followed[topicID]?.gate.hole { return (topicID, after) }
            }
            return nil
        }
    }

    var hasHole: Bool { state.withLock { !$0.needy.isEmpty } }

    /// A page behind a hole was read: what it lacks is not in the log any more.
    func filled(_ topicID: Int32, after: Offset, _ page: TopicPage, in incarnation: String) {
        state.withLock { state in
            guard state.incarnation == incarnation else { return }
            let next = page.events.first?.offset ?? page.latest + 1
            if next > after + 1 { state.skip(topicID, to: next - 1) }
            state.arrived(page.events, of: topicID)
            state.followed[topicID]?.gate.read(head: page.latest)
            state.checkHole(of: topicID)
        }
    }

    /// The topic is not in the log; the catalog will tell.
    func abandonHole(of topicID: Int32) {
        state.withLock { $0.followed[topicID]?.gate.abandonHole() }
    }

    // MARK: Following

    /// Ids of the topics that are followed, or about to be.
    var topicIDs: [Int32] { state.withLock { Array($0.followed.keys) } }

    /// Registers topics by name, so that their events are held from now on.
    func register(_ topics: [TopicName: CatalogEntry]) {
        state.withLock { state in
            for (name, entry) in topics { state.register(name, entry, isNamed: true) }
        }
    }

    func isFollowed(_ pattern: TopicPattern) -> Bool {
        state.withLock { !$0.patterns.values(of: pattern).isEmpty }
    }

    /// Registers a pattern that is not followed, with the topics that it matches.
    func register(_ pattern: TopicPattern, _ topics: [(TopicName, CatalogEntry)]) {
        state.withLock { state in
            state.patterns.insert(pattern, for: pattern)
            for (name, entry) in topics { state.register(name, entry, isNamed: false) }
        }
    }

    /// Topics whose heads have to be read before they are followed.
    var unstarted: [Int32] { state.withLock { Array($0.unstarted) } }

    /// The heads of registered topics were read, and then the requests are answered, before
    /// anything else is told.
    func start(_ ends: [TopicEnds], answering requests: [FollowRequest]) {
        state.withLock { state in
            var ready: [Int32: [Event]] = [:]
            for end in ends where state.isAboutToStart(end.topicID) {
                state.followed[end.topicID]?.earliest = end.earliest
                ready[end.topicID] = state.followed[end.topicID]?.gate.start(behind: end.latest)
                state.unstarted.remove(end.topicID)
            }
            for request in requests {
                let positions = request.topics.compactMap { state.position(of: $0, before: ready) }
                request.completion(.success(positions))
            }
            for (topicID, events) in ready {
                state.tell(events, of: topicID)
                state.checkHole(of: topicID)
            }
        }
    }

    /// A request for these topics was refused: those that it was the first to ask for are not
    /// followed.
    func abandonStart(of topics: [TopicName]) {
        state.withLock { state in
            for topic in topics {
                guard let id = state.ids[topic], state.isAboutToStart(id) else { continue }
                state.dropUnlessMatched(topic)
            }
        }
    }

    func unfollow(_ topics: [TopicName]) {
        state.withLock { state in
            for topic in topics { state.dropUnlessMatched(topic) }
        }
    }

    func unfollow(_ pattern: TopicPattern) {
        state.withLock { state in
            state.patterns.remove(pattern)
            let abandoned = state.followed.values.filter { followed in
                !followed.isNamed && pattern.matches(followed.topic)
                    && !state.patterns.matches(followed.topic)
            }
            for followed in abandoned { state.drop(followed.topic) }
        }
    }

    /// Heads of followed topics were read again; also tells what retention took meanwhile.
    ///
    /// Whatever was notified of ephemeral topics before they were read has been heard: what is
    /// missing is lost.
    func refresh(_ ends: [TopicEnds], in incarnation: String) {
        state.withLock { state in
            guard state.incarnation == incarnation else { return }
            for end in ends {
                guard var followed = state.followed[end.topicID], followed.gate.last != nil else {
                    continue
                }
                if followed.isEphemeral {
                    state.skip(end.topicID, to: end.latest)
                    continue
                }
                followed.gate.read(head: end.latest)
                state.followed[end.topicID] = followed
                if end.earliest > followed.earliest {
                    state.passOver(end.topicID, below: end.earliest)
                }
                state.checkHole(of: end.topicID)
            }
        }
    }

    // MARK: The catalog

    /// `entry`: Of topics that are new; those that a pattern matches are followed from now on.
    func tell(_ changes: CatalogChanges, entry: (TopicName) -> CatalogEntry?) {
        state.withLock { state in
            for topic in changes.deleted {
                let position = state.ids[topic].flatMap { state.position(of: $0) }
                state.drop(topic)
                state.sink?.deleted(topic, at: position)
            }
            if !changes.created.isEmpty { state.sink?.created(changes.created) }
            for topic in changes.created where state.patterns.matches(topic) {
                if let entry = entry(topic) { state.register(topic, entry, isNamed: false) }
            }
            for (topic, earliest) in changes.purged {
                if let id = state.ids[topic] {
                    state.passOver(id, below: earliest)
                } else {
                    state.sink?.purged(topic, earliest: earliest, at: nil)
                }
            }
        }
    }

    // MARK: Incarnations

    /// The log is in this incarnation: if it is another one, its events are held from now on.
    ///
    /// Returns the topics that have to be restarted, also those of an earlier attempt that was cut
    /// off.
    func suspend(for incarnation: String) -> [Int32: Suspension] {
        state.withLock { state in
            if state.incarnation != incarnation { state.suspendAll(for: incarnation) }
            state.incarnation = incarnation
            return state.followed.compactMapValues(\.suspension)
        }
    }

    /// Events that the old incarnation had and that survived: told before the restart, as what they
    /// were.
    func tellSurvivors(_ events: [Event], of topicID: Int32) {
        state.withLock { state in
            guard let followed = state.followed[topicID], let suspension = followed.suspension,
                let last = events.last?.offset
            else { return }
            state.sink?.appended(events, to: followed.position(topicID, in: suspension))
            state.followed[topicID]?.suspension?.last = last
        }
    }

    /// What the old incarnation had up to this offset is not kept, and was not told yet.
    func skipSurvivors(of topicID: Int32, to offset: Offset) {
        state.withLock { state in
            guard let followed = state.followed[topicID], let suspension = followed.suspension
            else { return }
            state.followed[topicID]?.suspension?.last = offset
            state.sink?.purged(
                followed.topic, earliest: offset + 1,
                at: followed.position(topicID, in: suspension))
        }
    }

    /// The topic goes on behind the fork.
    func restart(_ ends: TopicEnds, fork: Offset) {
        state.withLock { state in
            guard var followed = state.followed[ends.topicID],
                let suspension = followed.suspension
            else { return }
            let old = followed.position(ends.topicID, in: suspension)
            followed.suspension = nil
            followed.earliest = ends.earliest
            let position = TopicPosition(
                topic: followed.topic,
                epoch: Epoch(incarnation: state.incarnation, topicID: ends.topicID),
                earliest: ends.earliest, latest: ends.latest,
                isEphemeral: followed.isEphemeral)
            state.sink?.restarted(position, fork: fork, from: old)
            let events = followed.gate.start(behind: fork)
            // What an ephemeral topic lacks cannot be read; its head is read once more.
            if !followed.isEphemeral { followed.gate.read(head: ends.latest) }
            state.followed[ends.topicID] = followed
            state.tell(events, of: ends.topicID)
            state.checkHole(of: ends.topicID)
        }
    }
}

/// A call of `follow` that waits for its answer.
struct FollowRequest: Sendable {
    var topics: [TopicName]
    var patterns: [TopicPattern] = []
    var completion: @Sendable (Result<[TopicPosition], BrokerError>) -> Void
    var deadline: ContinuousClock.Instant
}

/// Both ends of a topic, as the log tells them.
struct TopicEnds: Sendable {
    var topicID: Int32
    var earliest: Offset
    var latest: Offset
}

/// A page, as the log tells it.
struct TopicPage: Sendable {
    var earliest: Offset
    var latest: Offset
    var purgedBelow: Offset
    var events: [Event]
}
