internal import DequeModule
internal import Dispatch
internal import EventModel
internal import PostgresBridge
internal import Synchronization

/// Reads from the log on a few threads, each with a connection of its own.
///
/// Two run: one for the log, one for tokens, so that neither waits for the other.
final class ReadInbox: Sendable {
    /// Something to ask the database.
    ///
    /// It is repeated after a lost connection, so it must not write, or only what may be repeated.
    struct Question: Sendable {
        /// Answers its asker; throws only what another connection, or another time, may mend.
        var ask: @Sendable (PostgresConnection, _ incarnation: String) throws(PostgresError) -> Void
        var fail: @Sendable (BrokerError) -> Void
        /// Without a connection it waits no longer.
        fileprivate(set) var deadline = ContinuousClock.now
    }

    private struct State {
        var questions: Deque<Question> = []
        var isStopped = false
        /// Threads that have a connection.
        var connectedCount = 0
    }

    let context: LogContext
    /// Shown in `pg_stat_activity`.
    let role: String
    private let threadCount: Int
    private let state = Mutex(State())
    private let semaphore = DispatchSemaphore(value: 0)
    private let threads = Mutex<[PostgresThread]>([])
    let pages = SharedQuestions<PageKey, PageCompletion>()
    let resumptions = SharedQuestions<Everybody, ResumptionAsker>()
    let marks = SharedQuestions<Everybody, MarkCompletion>()
    let starts = SharedQuestions<Everybody, StartAsker>()
    /// The database refused the last mark, which was said in the log.
    let hasRefusedMark = Mutex(false)

    init(_ context: LogContext, role: String, threadCount: Int) {
        self.context = context
        self.role = role
        self.threadCount = threadCount
    }

    func start() {
        let started = (1...threadCount).map { number in
            PostgresThread(name: "sluice-\(role)\(number)") { [self] in ReadThread(self).run() }
        }
        threads.withLock { $0 = started }
    }

    /// Ends the threads, whatever they wait for; questions that wait are refused.
    func stop() {
        let waiting = state.withLock { state in
            state.isStopped = true
            defer { state.questions = [] }
            return state.questions
        }
        for _ in 0..<threadCount { semaphore.signal() }
        for question in waiting { question.fail(LogContext.unavailable("The log is closed.")) }
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    func ask(_ question: Question) {
        var question = question
        question.deadline = .now + context.limits.reconnectTimeout
        let refusal = state.withLock { [question] state -> BrokerError? in
            if state.isStopped { return LogContext.unavailable("The log is closed.") }
            guard state.questions.count < context.limits.readsWaitingMax else {
                return LogContext.unavailable("Too many reads wait for the database.")
            }
            state.questions.append(question)
            return nil
        }
        if let refusal { return question.fail(refusal) }
        semaphore.signal()
    }

    // MARK: For the threads

    /// The next question; waits for it.
    ///
    /// `nil`: stop.
    func next() -> Question? {
        while true {
            semaphore.wait()
            let (question, isStopped) = state.withLock { ($0.questions.popFirst(), $0.isStopped) }
            if let question { return question }
            if isStopped { return nil }
        }
    }

    func connected() { state.withLock { $0.connectedCount += 1 } }

    func disconnected() { state.withLock { $0.connectedCount -= 1 } }

    /// Refuses the questions whose time is over, unless a thread can still answer them.
    func refuseLate() {
        let now = ContinuousClock.now
        let late = state.withLock { state -> [Question] in
            guard state.connectedCount == 0 else { return [] }
            var late: [Question] = []
            // They came in the order of their deadlines.
            while let first = state.questions.first, first.deadline <= now {
                late.append(first)
                state.questions.removeFirst()
            }
            return late
        }
        for question in late { question.fail(LogContext.unreachable) }
    }

    var isStopped: Bool { state.withLock { $0.isStopped } }
}
