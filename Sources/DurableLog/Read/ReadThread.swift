internal import EventModel
internal import Logging
internal import PostgresBridge

/// One of the threads that read.
final class ReadThread {
    private let inbox: ReadInbox
    private let context: LogContext
    private var connection: PostgresConnection?
    private var incarnation = ""
    /// What is to be answered; `nil` once it was.
    private var question: ReadInbox.Question?
    /// How long the question waits for a connection.
    private var deadline = ContinuousClock.now
    private let wakeup = PostgresWakeup()

    init(_ inbox: ReadInbox) {
        self.inbox = inbox
        context = inbox.context
    }

    func run() {
        while let question = inbox.next() { answer(question) }
        disconnect()
    }

    /// Asks on this thread's connection; a lost one is replaced, for as long as the question may
    /// wait.
    private func answer(_ asked: ReadInbox.Question) {
        question = asked
        deadline = asked.deadline
        var pause = ReconnectPause()
        var isFirst = true
        while question != nil {
            do throws(PostgresError) {
                let connection = try connected()
                // It may have been refused meanwhile.
                try question?.ask(connection, incarnation)
                question = nil
            } catch {
                guard error.needsNewConnection else { return refused(error) }
                context.logger.debug("read has no database", metadata: ["error": "\(error)"])
                disconnect()
                // The first loss may be an old one, of a connection that nobody used meanwhile.
                if isFirst { deadline = max(deadline, .now + context.limits.reconnectTimeout) }
                isFirst = false
                guard isWanted(), question != nil else { return fail(LogContext.unreachable) }
                _ = wakeup.wait(timeout: pause.next())
            }
        }
    }

    private func refused(_ error: PostgresError) {
        if error.isPassing {
            context.logger.warning("read has to wait", metadata: ["error": "\(error)"])
            return fail(LogContext.unavailable("The database cannot read now: \(error.message)."))
        }
        context.logger.error("read was refused", metadata: ["error": "\(error)"])
        fail(BrokerError(.internal, "The database refuses a read: \(error.message)."))
    }

    private func fail(_ error: BrokerError) {
        question?.fail(error)
        question = nil
    }

    // MARK: The connection

    private func connected() throws(PostgresError) -> PostgresConnection {
        if let connection { return connection }
        let (connection, entered) = try context.connect(
            role: inbox.role, settings: ConnectionSettings.reader(context.limits),
            while: { [self] in isWanted() }, setUp: PageReading.prepare)
        self.connection = connection
        incarnation = entered
        inbox.connected()
        return connection
    }

    /// Asked while the connection waits: a stop is obeyed, a server that fell silent is given up
    /// once the log was found elsewhere, and while the connection comes up, nobody waits longer
    /// than he may.
    private func isWanted() -> Bool {
        if connection == nil {
            if ContinuousClock.now >= deadline { fail(LogContext.unreachable) }
            inbox.refuseLate()
        } else if !context.incarnation.isStill(incarnation) {
            return false
        }
        return !inbox.isStopped
    }

    private func disconnect() {
        guard let connection else { return }
        connection.close()
        self.connection = nil
        inbox.disconnected()
    }
}
