internal import EventModel
internal import PostgresBridge
internal import Synchronization

/// Takes requests in on any thread, for the append thread to commit in batches.
///
/// What would keep that thread waiting is done beside it: topics are looked up and created, and
/// announces sent, each on a thread and a connection of their own.
final class LogWriter: Sendable {
    private struct Inbox {
        var flow: AppendFlow
        /// The thread waits for a signal.
        var isAsleep = false
    }

    let context: LogContext
    let tail: Tail
    let follower: LogFollower
    /// Looks topics up, and creates them.
    let topics: LogReader
    /// `nil`: nobody else listens.
    let announcer: Announcer?
    let wakeup = PostgresWakeup()
    private let inbox: Mutex<Inbox>
    private let thread = Mutex<PostgresThread?>(nil)

    init(_ context: LogContext, _ tail: Tail, _ follower: LogFollower, announces: Bool) {
        self.context = context
        self.tail = tail
        self.follower = follower
        topics = LogReader(context, role: "topics", threadCount: 1)
        announcer = announces ? Announcer(context) : nil
        let queue = AppendQueue(
            eventsMax: context.limits.appendQueueEventsMax,
            bytesMax: context.limits.appendQueueBytesMax)
        let flow = AppendFlow(
            queue: queue, createsTopics: context.createsTopics,
            outcomeTimeout: context.limits.outcomeTimeout)
        inbox = Mutex(Inbox(flow: flow))
    }

    func start() {
        topics.start()
        announcer?.start()
        // 0 is the drain of the outbox; the random number is this node's (log of writers,
        // doc:AppendAndFollow).
        let writerID = Int64.random(in: 1...Int64.max)
        let thread = PostgresThread(name: "sluice-append") { [self] in
            AppendThread(self, writerID: writerID).run()
        }
        self.thread.withLock { $0 = thread }
    }

    /// Refuses new requests, finishes those that were taken in, and ends the threads.
    ///
    /// Returns after `outcomeTimeout` at the latest, whatever the database does.
    func stop() {
        inbox.withLock {
            $0.flow.isDraining = true
            $0.isAsleep = false
        }
        wakeup.signal()
        thread.withLock { $0 }?.join()
        topics.stop()
        announcer?.stop()
    }

    func append(_ request: AppendRequest, completion: @escaping AppendCompletion) {
        let pending = PendingAppend(request, completion: completion)
        let (refusal, isToWake) = inbox.withLock { inbox -> (BrokerError?, Bool) in
            if let refusal = inbox.flow.admit(pending) { return (refusal, false) }
            defer { inbox.isAsleep = false }
            return (nil, inbox.isAsleep)
        }
        if let refusal { return completion(.failure(refusal)) }
        // One system call for all that arrives while the thread wakes up.
        if isToWake { wakeup.signal() }
    }

    var isUp: Bool { inbox.withLock { $0.flow.isUp } }

    /// Looks at the flow, or changes it without causing replies.
    func flow<Value: Sendable>(_ body: (inout AppendFlow) -> Value) -> Value {
        inbox.withLock { body(&$0.flow) }
    }

    /// Changes the flow, and then sends the replies.
    @discardableResult
    func replying<Value: Sendable>(
        _ body: (inout AppendFlow, inout [AppendReply]) -> Value
    ) -> Value {
        let (value, replies) = inbox.withLock { inbox -> (Value, [AppendReply]) in
            var replies: [AppendReply] = []
            let value = body(&inbox.flow, &replies)
            return (value, replies)
        }
        for reply in replies { reply.send() }
        return value
    }

    /// The answer to a question came: the append thread may be waiting for it.
    func answered(_ body: (inout AppendFlow, inout [AppendReply]) -> Void) {
        replying(body)
        let isToWake = inbox.withLock { inbox in
            defer { inbox.isAsleep = false }
            return inbox.isAsleep
        }
        if isToWake { wakeup.signal() }
    }

    // MARK: For the append thread

    /// `false`: there is something to do.
    func fallAsleep() -> Bool {
        inbox.withLock { inbox in
            guard !inbox.flow.hasNews, !inbox.flow.isDone else { return false }
            inbox.isAsleep = true
            return true
        }
    }

    func wakeUp() { inbox.withLock { $0.isAsleep = false } }
}
