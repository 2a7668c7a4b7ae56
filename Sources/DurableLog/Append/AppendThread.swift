internal import EventModel
internal import Logging
internal import PostgresBridge

/// The append thread: one batch in flight, formed of what arrived while the one before was being
/// committed; of a full batch's worth of that already while it is.
///
/// The flow decides; this performs it on a connection, and never waits for anything but the batch.
/// `AppendSettling.swift` holds what happens to a batch that was refused, or whose connection was
/// lost.
final class AppendThread {
    /// How often deadlines are looked at while something is awaited.
    static let tick = Duration.milliseconds(100)

    /// A batch that was settled, and whom that has to be told.
    private struct Finished {
        var replies: [AppendReply]
        var appended: [AppendDeal.Appended]
        var incarnation: String
        var seq: Int64
    }

    let inbox: AppendInbox
    let context: LogContext
    let writerID: Int64
    private var lastSeq: Int64 = 0
    /// Those of the batch that goes next; what was sent needs them no more.
    private var parameters = PostgresParameters()
    private var finished: Finished?
    private var pause = ReconnectPause()

    init(_ inbox: AppendInbox, writerID: Int64) {
        self.inbox = inbox
        context = inbox.context
        self.writerID = writerID
    }

    func run() {
        while true {
            do throws(PostgresError) {
                let link = try AppendConnection(inbox.way, context) { [self] in
                    checkDeadlines()
                    return !isDone
                }
                defer { link.connection.close() }
                try settleOpen(link)
                inbox.flow { $0.goUp() }
                pause.reset()
                inbox.watch.wentUp(in: link.incarnation)
                try serve(link)
                break
            } catch {
                lost(error)
            }
            waitToReconnect()
            if isDone { break }
        }
        let error = LogContext.unavailable("This node is shutting down.")
        inbox.replying { $0.refuseWaiting(error, into: &$1) }
    }

    var isDone: Bool { inbox.flow { $0.isDone } }

    private func serve(_ link: AppendConnection) throws(PostgresError) {
        while true {
            if !link.isWaiting { try sendNext(link) }
            finish()
            if isDone { return }
            try takeNews(link)
        }
    }

    /// Takes in what has arrived, or waits for more.
    private func takeNews(_ link: AppendConnection) throws(PostgresError) {
        if let result = try link.next() { return try handle(result, link) }
        if link.isWaiting {
            prepareNext(link)
            _ = try link.connection.wait(nil, timeout: Self.tick)
            inbox.watch.look()
            // A server that fell silent, while another part of this node found the log elsewhere.
            if inbox.flow({ $0.isOverdue(now: .now) }) { try requireCurrent(link) }
        } else {
            guard inbox.fallAsleep() else { return }
            // Requests may wait for a topic that somebody has locked.
            let timeout = inbox.flow { $0.isWaiting } ? Self.tick : nil
            // Nothing is due, so the server hangs up, or says that it will: nobody would know what
            // became of a batch that was sent then.
            while try link.connection.wait(inbox.wakeup, timeout: timeout) == .socket {
                _ = try link.next()
            }
            inbox.wakeUp()
        }
        checkDeadlines()
    }

    private func handle(
        _ result: Result<PostgresResult, PostgresError>, _ link: AppendConnection
    ) throws(PostgresError) {
        inbox.watch.answered()
        switch result {
        case .success(let result):
            guard let answer = try AppendStatement.answer(in: result) else {
                throw PostgresError(kind: .connectionLost, message: "an append has no answer")
            }
            settled(answer)
        case .failure(let error): try refused(error, link)
        }
    }

    // MARK: Sending

    private func sendNext(_ link: AppendConnection) throws(PostgresError) {
        // Topics that another part of this node looks up are of its incarnation.
        try requireCurrent(link)
        if let batch = inbox.flow({ $0.takePrepared() }) {
            try send(batch, link)
        } else if let batch = formBatch(link) {
            encode(batch)
            try send(batch, link)
        }
    }

    /// Forms the next batch while PostgreSQL works on the open one, if that costs nobody anything.
    private func prepareNext(_ link: AppendConnection) {
        guard inbox.flow({ $0.canPrepare }), let batch = formBatch(link) else { return }
        encode(batch)
        inbox.flow { $0.prepare(batch) }
    }

    private func formBatch(_ link: AppendConnection) -> AppendBatch? {
        let taken = inbox.takeBatch(in: link.incarnation)
        let questions = inbox.flow { $0.takeQuestions() }
        if !questions.isEmpty { inbox.ask(questions) }
        guard !taken.requests.isEmpty else { return nil }
        return AppendBatch(taken.requests, ids: taken.ids, incarnation: link.incarnation)
    }

    /// Writes the parameters of a batch that is sent next.
    private func encode(_ batch: AppendBatch) {
        switch inbox.way {
        case .log:
            AppendStatement.write(batch, writer: writerID, seq: lastSeq + 1, to: &parameters)
        case .ephemera: AppendStatement.write(batch, to: &parameters)
        }
    }

    private func send(_ batch: AppendBatch, _ link: AppendConnection) throws(PostgresError) {
        lastSeq += 1
        let seq = lastSeq
        inbox.flow { $0.sent(batch, seq: seq, now: .now) }
        inbox.watch.asked()
        switch inbox.way {
        case .log: try link.send(AppendStatement.append, parameters)
        case .ephemera: try link.send(AppendStatement.emit, parameters)
        }
    }

    func requireCurrent(_ link: AppendConnection) throws(PostgresError) {
        guard context.incarnation.current != link.incarnation else { return }
        throw PostgresError(
            kind: .connectionLost, sqlState: "SL001", message: "the log is in another incarnation")
    }

    // MARK: Answers

    /// The open batch is in the log.
    ///
    /// Decides now, so that the next batch can go out; `finish` tells the others.
    func settled(_ answer: AppendAnswer) {
        finish()
        guard let open = inbox.flow({ $0.open }) else { return }
        let deal = AppendDeal(open.batch, answer)
        for (name, id) in deal.unknown { context.catalog.forget(name, id: id) }
        var replies: [AppendReply] = []
        inbox.flow { $0.settled(deal, now: .now, into: &replies) }
        finished = Finished(
            replies: replies, appended: deal.appended, incarnation: open.batch.incarnation,
            seq: open.seq)
        inbox.announcer?.announce(
            answer.parts, of: writerID, seq: open.seq, in: open.batch.incarnation)
    }

    /// Answers the publishers of the batch that was settled last, and tells the fan-out.
    func finish() {
        guard let finished else { return }
        self.finished = nil
        inbox.followed.together {
            for reply in finished.replies { reply.send() }
            // Ephemeral events come to this node, too, over LISTEN.
            if inbox.way == .log { tell(finished) }
        }
    }

    private func tell(_ finished: Finished) {
        context.appendedTopics.insert(finished.appended.lazy.map(\.topicID))
        let hasHole = inbox.followed.appended(
            finished.appended, in: finished.incarnation, writer: writerID, seq: finished.seq)
        if hasHole { inbox.follows.wakeup.signal() }
    }

    // MARK: A database that is away

    private func lost(_ error: PostgresError) {
        finish()
        if inbox.way == .ephemera { inbox.replying { $0.lostOpen(into: &$1) } }
        inbox.flow { $0.wentDown(now: .now) }
        if !isDone { inbox.watch.lost(error) }
        checkDeadlines()
    }

    private func waitToReconnect() {
        let end = ContinuousClock.now + pause.next()
        while !isDone, ContinuousClock.now < end {
            let rest = min(end - ContinuousClock.now, Self.tick)
            if inbox.wakeup.wait(timeout: max(rest, .zero)) { return }
            checkDeadlines()
        }
    }

    /// Answers what must not wait any longer.
    func checkDeadlines() { inbox.replying { $0.checkDeadlines(now: .now, into: &$1) } }
}
