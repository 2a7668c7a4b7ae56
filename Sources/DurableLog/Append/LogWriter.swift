internal import EventModel
internal import PostgresBridge
internal import Synchronization

/// Takes requests in on any thread, for the append thread to commit in batches.
final class LogWriter: Sendable {
    fileprivate struct Inbox {
        var queue: AppendQueue
        /// The thread waits for a signal.
        var isAsleep = false
        /// The log cannot be written now: requests are refused instead of queued.
        var isDown = true
        var isDraining = false
    }

    let context: LogContext
    let tail: Tail
    let follower: LogFollower
    let wakeup = PostgresWakeup()
    private let inbox: Mutex<Inbox>
    private let thread = Mutex<PostgresThread?>(nil)

    init(_ context: LogContext, _ tail: Tail, _ follower: LogFollower) {
        self.context = context
        self.tail = tail
        self.follower = follower
        let queue = AppendQueue(
            eventsMax: context.limits.appendQueueEventsMax,
            bytesMax: context.limits.appendQueueBytesMax)
        inbox = Mutex(Inbox(queue: queue))
    }

    func start() {
        // 0 is the drain of the outbox; the random number is this node's (log of writers, DESIGN
        // 3).
        let writerID = Int64.random(in: 1...Int64.max)
        let thread = PostgresThread(name: "sluice-append") { [self] in
            AppendThread(self, writerID: writerID).run()
        }
        self.thread.withLock { $0 = thread }
    }

    /// Refuses new requests, finishes those that were taken in, and ends the thread.
    ///
    /// Returns after `outcomeTimeout` at the latest, whatever the database does.
    func stop() {
        inbox.withLock {
            $0.isDraining = true
            $0.isAsleep = false
        }
        wakeup.signal()
        thread.withLock { $0 }?.join()
    }

    func append(_ request: AppendRequest, completion: @escaping AppendCompletion) {
        let pending = PendingAppend(request, completion: completion)
        let (refusal, isToWake) = inbox.withLock { inbox -> (BrokerError?, Bool) in
            if let refusal = inbox.admit(pending) { return (refusal, false) }
            defer { inbox.isAsleep = false }
            return (nil, inbox.isAsleep)
        }
        if let refusal { return completion(.failure(refusal)) }
        // One system call for all that arrives while the thread wakes up.
        if isToWake { wakeup.signal() }
    }

    // MARK: For the append thread

    func takeBatch() -> [PendingAppend] { inbox.withLock { $0.queue.takeBatch() } }

    /// `false`: there is something to do.
    func fallAsleep() -> Bool {
        inbox.withLock { inbox in
            guard inbox.queue.isEmpty, !inbox.isDraining else { return false }
            inbox.isAsleep = true
            return true
        }
    }

    func wakeUp() { inbox.withLock { $0.isAsleep = false } }

    /// Refuses requests from now on; gives those that wait.
    func goDown() -> [PendingAppend] {
        inbox.withLock { inbox in
            inbox.isDown = true
            return inbox.queue.takeAll()
        }
    }

    func goUp() { inbox.withLock { $0.isDown = false } }

    var isUp: Bool { inbox.withLock { !$0.isDown && !$0.isDraining } }
    var isDraining: Bool { inbox.withLock { $0.isDraining } }
    var hasRequests: Bool { inbox.withLock { !$0.queue.isEmpty } }
}

extension LogWriter.Inbox {
    /// Queues the request, or says why not.
    fileprivate mutating func admit(_ pending: PendingAppend) -> BrokerError? {
        if isDraining {
            var error = BrokerError(.draining, "This node takes no new events.")
            error.committed = .no
            return error
        }
        if isDown { return LogContext.unavailable("The database cannot be reached.") }
        do throws(BrokerError) {
            try queue.enqueue(pending)
            return nil
        } catch {
            return error
        }
    }
}
