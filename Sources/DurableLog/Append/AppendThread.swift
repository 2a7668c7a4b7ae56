internal import DequeModule
internal import EventModel
internal import Logging
internal import PostgresBridge

/// The append thread: one batch in flight, formed of what arrived while the one before was being
/// committed.
///
/// Confined to its thread. `AppendSettling.swift` holds what happens to a batch that failed or
/// whose connection was lost,
/// `AppendPreparing.swift` how names become ids.
final class AppendThread {
    /// How often deadlines are looked at while something is awaited.
    static let tick = Duration.milliseconds(100)

    /// The batch whose outcome is not known yet.
    struct OpenBatch {
        var batch: AppendBatch
        var seq: Int64
        var attempts: Int
        var deadline: ContinuousClock.Instant
        /// Its requests were answered `outcome_unknown`; what becomes of it matters to nobody but
        /// the log.
        var isAnswered = false
    }

    /// Requests that were not appended and go first, in their order.
    struct Retry {
        var requests: [PendingAppend]
        var attempts = 0
    }

    private struct Finished {
        var open: OpenBatch
        var deal: AppendDeal
    }

    let writer: LogWriter
    let context: LogContext
    let writerID: Int64
    private var lastSeq: Int64 = 0
    var open: OpenBatch?
    var retries: Deque<Retry> = []
    /// Topics whose lock was not to be had: asked for without waiting before they are used again.
    var suspects: Set<Int32> = []
    private var finished: Finished?
    private var announce: JournalAnnounce?
    private var downSince: ContinuousClock.Instant?
    private var pause = ReconnectPause()

    init(_ writer: LogWriter, writerID: Int64) {
        self.writer = writer
        context = writer.context
        self.writerID = writerID
    }

    func run() {
        while true {
            do throws(PostgresError) {
                let link = try AppendConnection(context)
                defer { link.connection.close() }
                try settleOpen(link)
                downSince = nil
                pause.reset()
                writer.goUp()
                context.logger.info(
                    "append connection is up", metadata: ["incarnation": "\(link.incarnation)"])
                try serve(link)
                break
            } catch {
                lost(error)
            }
            if isDone { break }
            _ = writer.wakeup.wait(timeout: pause.next())
            checkDeadlines()
        }
        refuseWaiting("This node is shutting down.")
    }

    private var isDone: Bool {
        writer.isDraining && (open?.isAnswered ?? true) && retries.isEmpty && !writer.hasRequests
    }

    private func serve(_ link: AppendConnection) throws(PostgresError) {
        while true {
            if open == nil { try sendNext(link) }
            finish()
            try sendAnnounce(link)
            if isDone, open != nil || link.isIdle { return }
            try takeNews(link)
        }
    }

    /// Takes in what has arrived, or waits for more.
    private func takeNews(_ link: AppendConnection) throws(PostgresError) {
        var hasNews = false
        while let outcome = try link.next() {
            hasNews = true
            try handle(outcome, link)
        }
        if hasNews { return }
        if open == nil, link.isIdle {
            guard writer.fallAsleep() else { return }
            _ = try link.connection.wait(writer.wakeup, timeout: nil)
            writer.wakeUp()
        } else if open == nil {
            // Only an announce is awaited: new requests go first.
            guard writer.fallAsleep() || !writer.hasRequests else { return }
            _ = try link.connection.wait(writer.wakeup, timeout: Self.tick)
            writer.wakeUp()
        } else {
            _ = try link.connection.wait(nil, timeout: Self.tick)
        }
        checkDeadlines()
    }

    private func handle(
        _ outcome: AppendConnection.Outcome, _ link: AppendConnection
    ) throws(PostgresError) {
        switch (outcome.purpose, outcome.result) {
        case (.append, .success(let result)):
            guard let answer = try AppendStatement.answer(in: result) else {
                throw PostgresError(kind: .connectionLost, message: "an append has no answer")
            }
            settled(answer, link)
        case (.append, .failure(let error)): try refused(error, link)
        case (.announce, .failure(let error)):
            // The poll of the others finds the events a second later.
            context.logger.warning("announce failed", metadata: ["error": "\(error)"])
        case (.announce, .success), (.question, _): break
        }
    }

    /// Asks something and waits for the answer; an announce may come in between.
    func ask(
        _ link: AppendConnection, timeout: Duration?,
        _ send: (AppendConnection) throws(PostgresError) -> Void
    ) throws(PostgresError) -> PostgresResult {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        try send(link)
        while true {
            while let outcome = try link.next() {
                if outcome.purpose == .question { return try outcome.result.get() }
                try handle(outcome, link)
            }
            _ = try link.connection.wait(nil, timeout: Self.tick)
            checkDeadlines()
            if let deadline, ContinuousClock.now >= deadline {
                throw PostgresError(kind: .timedOut, message: "no answer in time")
            }
        }
    }

    // MARK: Sending

    private func sendNext(_ link: AppendConnection) throws(PostgresError) {
        while open == nil {
            var group = retries.popFirst() ?? Retry(requests: writer.takeBatch())
            guard !group.requests.isEmpty else { return }
            do throws(PostgresError) {
                guard let batch = try prepare(&group.requests, link) else { continue }
                lastSeq += 1
                open = OpenBatch(
                    batch: batch, seq: lastSeq, attempts: group.attempts,
                    deadline: .now + context.limits.outcomeTimeout)
                try sendOpen(link, isAgain: false, as: .append)
            } catch {
                // What was not sent keeps its place.
                if open == nil { retries.prepend(group) }
                throw error
            }
        }
    }

    func sendOpen(
        _ link: AppendConnection, isAgain: Bool, as purpose: AppendConnection.Purpose
    ) throws(PostgresError) {
        guard let open else { return }
        let parameters = AppendStatement.parameters(
            open.batch, writer: writerID, seq: open.seq, isAgain: isAgain)
        try link.sendPrepared(AppendStatement.append, [parameters], as: purpose)
    }

    /// One announce at a time; what comes meanwhile goes with the next.
    private func sendAnnounce(_ link: AppendConnection) throws(PostgresError) {
        guard let announce, !link.isAwaiting(.announce) else { return }
        self.announce = nil
        guard announce.incarnation == link.incarnation else { return }
        try link.sendPrepared(
            AppendStatement.announce, announce.payloads().map { [.text($0)] }, as: .announce)
    }

    // MARK: Answers

    /// The batch is in the log.
    ///
    /// Decides now, so that the next batch can go out; `finish` tells the others.
    func settled(_ answer: AppendAnswer, _ link: AppendConnection) {
        guard let settled = open else { return }
        open = nil
        let deal = AppendDeal(settled.batch, answer)
        if !settled.isAnswered { retryUnknown(settled.batch, deal) }
        if settled.batch.incarnation == link.incarnation { note(answer, settled) }
        finish()
        finished = Finished(open: settled, deal: deal)
        if settled.isAnswered { writer.goUp() }
    }

    private func note(_ answer: AppendAnswer, _ settled: OpenBatch) {
        guard !answer.parts.isEmpty else { return }
        var next =
            announce
            ?? JournalAnnounce(
                incarnation: settled.batch.incarnation, writer: writerID, seq: settled.seq,
                heads: [:])
        next.seq = settled.seq
        for part in answer.parts { next.heads[part.topicID] = part.last }
        announce = next
    }

    /// A topic that is gone may exist under the name again: looked up once more.
    private func retryUnknown(_ batch: AppendBatch, _ deal: AppendDeal) {
        var again: [PendingAppend] = []
        for (pending, outcome) in zip(batch.requests, deal.outcomes) {
            guard case .unknownTopic(let name) = outcome, !pending.isLookedUpAgain else { continue }
            context.catalog.forget(name, id: batch.topicID(of: name))
            var pending = pending
            pending.isLookedUpAgain = true
            again.append(pending)
        }
        if !again.isEmpty { retries.append(Retry(requests: again)) }
    }

    /// Answers the publishers of the batch that was settled last, and tells the fan-out.
    private func finish() {
        guard let finished else { return }
        self.finished = nil
        let batch = finished.open.batch
        if !finished.open.isAnswered {
            for (pending, outcome) in zip(batch.requests, finished.deal.outcomes) {
                switch outcome {
                case .appended(let receipts): pending.completion(.success(receipts))
                case .failed(let error): pending.completion(.failure(error))
                case .unknownTopic(let name):
                    guard pending.isLookedUpAgain else { continue }
                    pending.completion(.failure(Self.notFound(name)))
                }
            }
        }
        let hasHole = writer.tail.appended(
            finished.deal.appended, in: batch.incarnation, writer: writerID,
            seq: finished.open.seq)
        if hasHole { writer.follower.wakeup.signal() }
    }

    static func notFound(_ name: TopicName) -> BrokerError {
        var error = BrokerError(.topicNotFound, "There is no topic \(quoted(name.text)).")
        error.committed = .no
        return error
    }

    // MARK: A database that is away

    private func lost(_ error: PostgresError) {
        finish()
        if downSince == nil { downSince = .now }
        context.logger.warning("append connection is down", metadata: ["error": "\(error)"])
        checkDeadlines()
    }

    /// Answers what must not wait any longer.
    private func checkDeadlines() {
        let now = ContinuousClock.now
        if let late = open, !late.isAnswered, now >= late.deadline {
            open?.isAnswered = true
            for pending in late.batch.requests {
                pending.completion(.failure(Self.outcomeUnknown))
            }
        }
        let isStalled = open?.isAnswered ?? false
        let isDown = downSince.map { now >= $0 + LogContext.reconnectPatience } ?? false
        if isStalled || isDown { refuseWaiting("The database cannot be reached.") }
    }

    private func refuseWaiting(_ why: String) {
        let waiting = retries.flatMap(\.requests) + writer.goDown()
        retries = []
        for pending in waiting { pending.completion(.failure(LogContext.unavailable(why))) }
    }

    private static var outcomeUnknown: BrokerError {
        var error = BrokerError(
            .outcomeUnknown, "The database has not said in time whether the events are in the log.")
        error.committed = .unknown
        return error
    }
}
