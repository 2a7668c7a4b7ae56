package import EventModel
package import PostgresBridge

/// The way of requests through the append connection.
///
/// It decides which wait, which go, and what each comes to; it knows no connection and no clock.
/// One is there for the log, and one for ephemeral topics, so that neither waits for the other.
/// One batch is open at a time, and what is prepared goes back before it, so what is put back keeps
/// its place in the order of its topics.
/// Changes append the replies that they cause.
package struct AppendFlow: Sendable {
    /// The batch whose outcome is not known yet.
    package struct Open: Sendable {
        package var batch: AppendBatch
        package var seq: Int64
        package var sentAt: ContinuousClock.Instant
        /// Its requests were answered `outcome_unknown`; what becomes of it matters to nobody but
        /// the log.
        package var isAnswered = false
    }

    /// Requests for a batch, and the ids of their topics.
    package struct Taken: Sendable {
        package var requests: [PendingAppend]
        /// One a part, in the order of the requests.
        package var ids: [Int32]
        /// In their order: the topic of each is ephemeral.
        package var ephemeral: [PendingAppend]
    }

    /// A request is tried this often when others get in its way.
    static let refusalsMax = 3

    private let way: AppendWay
    /// Whether an append may create topics at all.
    package var createsTopics: Bool
    private let limits: Limits
    private var queue: AppendQueue
    private var obstacles = AppendObstacles()
    private var pace = AppendPace()
    package private(set) var open: Open?
    /// The batch that goes next, formed while another is open.
    private var prepared: AppendBatch?
    /// Of the next batch: halved when one is refused, until the request that is to blame stands
    /// alone.
    private var requestsMax = AppendQueue.batchEventsMax
    /// The log cannot be written now: requests are refused instead of queued.
    private var isDown = true
    /// When the connection was lost.
    private var downSince: ContinuousClock.Instant?
    /// What is answered while it is.
    private var unreachable = LogContext.unreachable
    package var isDraining = false
    /// Something may be taken that could not be taken before.
    package private(set) var hasNews = false

    package init(
        _ way: AppendWay = .log, queue: AppendQueue, createsTopics: Bool, limits: Limits
    ) {
        self.way = way
        self.queue = queue
        self.createsTopics = createsTopics
        self.limits = limits
    }

    package var isUp: Bool { !isDown && !isDraining }
    package var isWaiting: Bool { !queue.isEmpty }

    /// Whether a request to the topic waits.
    func isWaiting(for topic: TopicName) -> Bool { queue.hasLine(of: topic) }

    /// Nothing is left that somebody waits for, and nothing will come.
    package var isDone: Bool {
        isDraining && (open?.isAnswered ?? true) && prepared == nil && queue.isEmpty
    }

    // MARK: Requests

    /// Queues the request, or says why not.
    package mutating func admit(_ pending: PendingAppend) -> BrokerError? {
        if isDraining { return BrokerError(.draining, "This node takes no new events.") }
        if isDown { return unreachable }
        do throws(BrokerError) {
            try queue.enqueue(pending)
            hasNews = true
            return nil
        } catch {
            var error = error
            error.retryAfter = pace.retryAfter(waiting: queue.eventCount)
            return error
        }
    }

    /// The requests of the next batch.
    ///
    /// `entry`: The topics of this incarnation that are known. What has to be asked about others is
    /// left in `takeQuestions`.
    package mutating func take(
        in incarnation: String, now: ContinuousClock.Instant, into replies: inout [AppendReply],
        _ entry: (TopicName) -> CatalogEntry?
    ) -> Taken {
        precondition(open == nil || canPrepare, "bug: a batch is formed that cannot go next")
        hasNews = false
        let newest = queue.lastNumber
        let (way, createsTopics) = (way, createsTopics)
        var ephemeral: [PendingAppend] = []
        // The catalog may change meanwhile: what was judged is what is sent.
        var ids: [Int32] = []
        // Out of the way of the queue, which changes at the same time.
        var obstacles = AppendObstacles()
        swap(&obstacles, &self.obstacles)
        defer { self.obstacles = obstacles }
        let requests = queue.takeBatch(requestsMax: requestsMax, entry: entry) { pending, entries in
            let verdict = obstacles.verdict(
                on: pending, way, creates: createsTopics,
                newest: newest, in: incarnation, into: &ids, entries)
            switch verdict {
            case .clear: return .take
            case .waits(let topic): return .hold(for: topic)
            case .belongsToEphemera:
                ephemeral.append(pending)
                return .drop
            case .refused(let error):
                replies.append(AppendReply(pending: pending, result: .failure(error)))
                return .drop
            }
        }
        // The last may have been judged, and found no place in the batch.
        ids.removeLast(ids.count - requests.reduce(0) { $0 + $1.parts.count })
        if !obstacles.suspects.isEmpty {
            obstacles.probe(where: queue.isHeld, newest: newest, now: now)
        }
        return Taken(requests: requests, ids: ids, ephemeral: ephemeral)
    }

    package mutating func takeQuestions() -> AppendQuestions { obstacles.takeQuestions() }

    // MARK: Batches

    /// A batch is open, and the next one would be full: formed now, it costs no request its place.
    package var canPrepare: Bool {
        open?.isAnswered == false && prepared == nil && queue.fillsBatch
    }

    /// A batch was formed of what was taken while another is open.
    package mutating func prepare(_ batch: AppendBatch) {
        precondition(open != nil && prepared == nil, "bug: two batches are to go next")
        prepared = batch
    }

    /// The batch that goes now, unless its requests went back to the queue.
    package mutating func takePrepared() -> AppendBatch? {
        defer { prepared = nil }
        return prepared
    }

    /// So that nothing stays before what is put back, or is sent on judgements that hold no more.
    private mutating func putPreparedBack() {
        guard let batch = takePrepared() else { return }
        queue.putBack(batch.requests)
        hasNews = true
    }

    package mutating func sent(_ batch: AppendBatch, seq: Int64, now: ContinuousClock.Instant) {
        open = Open(batch: batch, seq: seq, sentAt: now)
    }

    /// The open batch is in the log.
    package mutating func settled(
        _ deal: AppendDeal, now: ContinuousClock.Instant, into replies: inout [AppendReply]
    ) {
        guard let settled = close() else { return }
        pace.committed(
            settled.batch.requests.reduce(0) { $0 + $1.eventCount }, after: now - settled.sentAt)
        requestsMax = min(requestsMax * 2, AppendQueue.batchEventsMax)
        guard !settled.isAnswered else { return }
        var again: [PendingAppend] = []
        for (pending, outcome) in zip(settled.batch.requests, deal.outcomes) {
            let result: Result<[AppendReceipt], BrokerError>
            switch outcome {
            case .appended(let receipts): result = .success(receipts)
            case .failed(let error): result = .failure(error)
            case .unknownTopic(let name):
                // It may exist under the name again: looked up once more.
                guard pending.isLookedUpAgain else {
                    again.append(pending)
                    again[again.count - 1].isLookedUpAgain = true
                    continue
                }
                result = .failure(AppendRefusal.notFound(name))
            }
            replies.append(AppendReply(pending: pending, result: result))
        }
        putBack(again)
    }

    /// PostgreSQL refused the open batch and rolled it back.
    package mutating func refused(
        _ error: PostgresError, now: ContinuousClock.Instant, into replies: inout [AppendReply]
    ) {
        putPreparedBack()
        guard let refused = close(), !refused.isAnswered else { return }
        var requests = refused.batch.requests
        let refusal = AppendRefusal(error)
        switch refusal {
        case .disconnected, .decided: break
        case .locked:
            obstacles.suspect(
                requests.lazy.flatMap(\.request.parts).map(\.topic), since: refused.sentAt)
            for index in requests.indices where requests[index].blockedSince == nil {
                requests[index].blockedSince = refused.sentAt
            }
        case .transient:
            for index in requests.indices { requests[index].refusals += 1 }
        case .exhausted:
            for index in requests.indices { requests[index].refusals = Self.refusalsMax }
        case .guilty:
            if requests.count == 1 {
                let answer = AppendRefusal.answer(to: error)
                return replies.append(AppendReply(pending: requests[0], result: .failure(answer)))
            }
        }
        if refusal == .locked || refusal == .guilty { requestsMax = max(1, requests.count / 2) }
        let isOver = { [lockTimeout = limits.lockTimeout] (pending: PendingAppend) in
            pending.refusals >= Self.refusalsMax
                || pending.blockedSince.map { now >= $0 + lockTimeout } ?? false
        }
        let answer = LogContext.unavailable("The database refuses now: \(error.message).")
        for pending in requests where isOver(pending) {
            replies.append(AppendReply(pending: pending, result: .failure(answer)))
        }
        requests.removeAll(where: isOver)
        putBack(requests)
    }

    /// The open batch is not in the log and never will be.
    package mutating func gaveUp() {
        guard let given = close(), !given.isAnswered else { return }
        putBack(given.batch.requests)
    }

    /// Nobody can tell what became of the open batch: ephemeral events leave no trace.
    package mutating func lostOpen(into replies: inout [AppendReply]) {
        guard let lost = close(), !lost.isAnswered else { return }
        for pending in lost.batch.requests {
            replies.append(
                AppendReply(pending: pending, result: .failure(AppendRefusal.outcomeUnknown)))
        }
    }

    private mutating func close() -> Open? {
        defer { open = nil }
        // An answered batch had stopped everything.
        if let open, open.isAnswered, downSince == nil { isDown = false }
        return open
    }

    private mutating func putBack(_ requests: [PendingAppend]) {
        guard !requests.isEmpty else { return }
        putPreparedBack()
        queue.putBack(requests)
        hasNews = true
    }

    // MARK: A database that is away

    package mutating func goUp() {
        isDown = false
        downSince = nil
        unreachable = LogContext.unreachable
        hasNews = true
    }

    /// The open batch should have been answered by now.
    package func isOverdue(now: ContinuousClock.Instant) -> Bool {
        open.map { now >= $0.sentAt + limits.reconnectTimeout } ?? false
    }

    package mutating func wentDown(now: ContinuousClock.Instant) {
        putPreparedBack()
        downSince = downSince ?? now
    }

    /// Answers what must not wait any longer.
    package mutating func checkDeadlines(
        now: ContinuousClock.Instant, into replies: inout [AppendReply]
    ) {
        if let late = open, !late.isAnswered, now >= late.sentAt + limits.outcomeTimeout {
            open?.isAnswered = true
            for pending in late.batch.requests {
                replies.append(
                    AppendReply(pending: pending, result: .failure(AppendRefusal.outcomeUnknown)))
            }
        }
        if let downSince {
            unreachable.retryAfter = AppendPace.retryAfter(awayFor: now - downSince)
        }
        let isStalled = open?.isAnswered ?? false
        let isAway = downSince.map { now >= $0 + limits.reconnectTimeout } ?? false
        if isStalled || isAway { refuseWaiting(unreachable, into: &replies) }
    }

    /// Refuses what waits, and what comes until the log is up again.
    package mutating func refuseWaiting(
        _ error: BrokerError, into replies: inout [AppendReply]
    ) {
        isDown = true
        putPreparedBack()
        for pending in queue.takeAll() {
            replies.append(AppendReply(pending: pending, result: .failure(error)))
        }
    }
}

// MARK: - Answers

extension AppendFlow {
    /// Names were looked up: all are known now but those that do not exist.
    package mutating func found(
        _ names: Set<TopicName>, missing: Set<TopicName>, into replies: inout [AppendReply]
    ) {
        for name in names {
            guard let number = obstacles.found(name) else { continue }
            if missing.contains(name) {
                let error = AppendRefusal.notFound(name)
                refuse(error, of: name, upTo: number, into: &replies) { [createsTopics] pending in
                    !createsTopics || !pending.request.createsTopics
                }
            }
            release(name)
        }
    }

    /// Names could not be looked up, or topics not be created.
    package mutating func failed(
        _ names: Set<TopicName>, _ error: BrokerError, into replies: inout [AppendReply]
    ) {
        for name in names {
            guard let number = obstacles.found(name) else { continue }
            refuse(error, of: name, upTo: number, into: &replies)
            release(name)
        }
    }

    /// Of the topics whose locks were asked for, these are held by somebody.
    package mutating func probed(
        _ names: Set<TopicName>, locked: Set<TopicName>, now: ContinuousClock.Instant,
        into replies: inout [AppendReply]
    ) {
        let number = obstacles.probeAnswered()
        for name in names {
            if !locked.contains(name) {
                obstacles.acquit(name)
            } else if let since = obstacles.suspects[name], now >= since + limits.lockTimeout {
                refuse(AppendRefusal.locked(name), of: name, upTo: number, into: &replies)
            }
            release(name)
        }
    }

    /// A request's conditions hold in an incarnation, or else why not.
    package mutating func checked(
        _ condition: AppendQuestions.Condition, in incarnation: String, _ error: BrokerError?,
        into replies: inout [AppendReply]
    ) {
        obstacles.checked(condition.number)
        guard let topic = condition.heads.keys.first else { return }
        if let error {
            if let pending = queue.remove(condition.number, of: topic) {
                replies.append(AppendReply(pending: pending, result: .failure(error)))
            }
        } else {
            queue.update(condition.number, of: topic) { $0.checkedIn = incarnation }
        }
        for name in condition.heads.keys { release(name) }
    }

    private mutating func refuse(
        _ error: BrokerError, of topic: TopicName, upTo number: Int,
        into replies: inout [AppendReply], where isMeant: (PendingAppend) -> Bool = { _ in true }
    ) {
        for pending in queue.remove(of: topic, upTo: number, where: isMeant) {
            replies.append(AppendReply(pending: pending, result: .failure(error)))
        }
    }

    private mutating func release(_ topic: TopicName) {
        queue.release(topic)
        hasNews = true
    }
}
