internal import DequeModule
internal import Dispatch
internal import EventModel
internal import Logging
internal import PostgresBridge
internal import Synchronization

/// Reads from the log on a few threads, each with a connection of its own.
final class LogReader: Sendable {
    static let threadCount = 3
    /// Questions that wait for a thread.
    static let questionsMax = 20_000

    /// Something to ask the database.
    ///
    /// It is repeated after a lost connection, so it must not write, or only what may be repeated.
    struct Question: Sendable {
        /// Answers its asker; throws only what another connection may mend.
        var ask: @Sendable (PostgresConnection, _ incarnation: String) throws(PostgresError) -> Void
        var fail: @Sendable (BrokerError) -> Void
        var deadline: ContinuousClock.Instant = .now + LogContext.reconnectPatience
    }

    private struct Inbox {
        var questions: Deque<Question> = []
        var isStopped = false
    }

    let context: LogContext
    private let inbox = Mutex(Inbox())
    private let semaphore = DispatchSemaphore(value: 0)
    private let threads = Mutex<[PostgresThread]>([])
    let pages = SharedQuestions<PageKey, PageCompletion>()

    init(_ context: LogContext) { self.context = context }

    func start() {
        let started = (1...Self.threadCount).map { number in
            PostgresThread(name: "sluice-read-\(number)") { [self] in ReaderThread(self).run() }
        }
        threads.withLock { $0 = started }
    }

    /// Ends the threads; questions that wait are refused.
    func stop() {
        let waiting = inbox.withLock { inbox in
            inbox.isStopped = true
            defer { inbox.questions = [] }
            return inbox.questions
        }
        for _ in 0..<Self.threadCount { semaphore.signal() }
        for question in waiting { question.fail(LogContext.unavailable("The log is closed.")) }
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    func ask(_ question: Question) {
        let refusal = inbox.withLock { inbox -> BrokerError? in
            if inbox.isStopped { return LogContext.unavailable("The log is closed.") }
            guard inbox.questions.count < Self.questionsMax else {
                return LogContext.unavailable("Too many reads wait for the database.")
            }
            inbox.questions.append(question)
            return nil
        }
        if let refusal { return question.fail(refusal) }
        semaphore.signal()
    }

    /// The next question; waits for it.
    ///
    /// `nil`: stop.
    func next() -> Question? {
        while true {
            semaphore.wait()
            let (question, isStopped) = inbox.withLock { ($0.questions.popFirst(), $0.isStopped) }
            if let question { return question }
            if isStopped { return nil }
        }
    }

    var isStopped: Bool { inbox.withLock { $0.isStopped } }
}

/// One thread of the reader.
private final class ReaderThread {
    private let reader: LogReader
    private let context: LogContext
    private var connection: PostgresConnection?
    private var incarnation = ""
    private let wakeup = PostgresWakeup()

    init(_ reader: LogReader) {
        self.reader = reader
        context = reader.context
    }

    func run() {
        while let question = reader.next() { answer(question) }
        connection?.close()
    }

    /// Asks on this thread's connection; a lost one is replaced, for as long as the question may
    /// wait.
    private func answer(_ question: LogReader.Question) {
        var pause = ReconnectPause()
        var attempts = 0
        while true {
            attempts += 1
            do throws(PostgresError) {
                let connection = try connected()
                return try question.ask(connection, incarnation)
            } catch {
                guard error.needsNewConnection else {
                    context.logger.error("read was refused", metadata: ["error": "\(error)"])
                    return question.fail(
                        BrokerError(.internal, "The database refuses a read: \(error.message)."))
                }
                connection?.close()
                connection = nil
                // The first loss may be an old one, of a connection that nobody used meanwhile.
                let mayWait = attempts == 1 || ContinuousClock.now < question.deadline
                guard mayWait, !reader.isStopped else {
                    context.logger.debug("read has no database", metadata: ["error": "\(error)"])
                    return question.fail(
                        LogContext.unavailable("The database cannot be reached."))
                }
                _ = wakeup.wait(timeout: pause.next())
            }
        }
    }

    private func connected() throws(PostgresError) -> PostgresConnection {
        if let connection { return connection }
        let (connection, entered) = try context.connect(role: "reader")
        try PageReading.prepare(on: connection)
        self.connection = connection
        incarnation = entered
        return connection
    }
}
