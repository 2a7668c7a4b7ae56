internal import EventModel
internal import PostgresBridge
internal import Synchronization

/// Takes requests in on any thread, for the append thread to commit in batches.
///
/// What would keep that thread waiting is done beside it: topics are looked up and created, and
/// announces sent, each on a thread and a connection of their own.
final class AppendInbox: Sendable {
    private struct State {
        var flow: AppendFlow
        /// The thread waits for a signal.
        var isAsleep = false
    }

    let context: LogContext
    let followed: FollowedTopics
    let follows: FollowInbox
    /// Looks topics up, and creates them.
    let topics: ReadInbox
    /// `nil`: nobody else listens.
    let announcer: Announcer?
    let wakeup = PostgresWakeup()
    private let state: Mutex<State>
    private let thread = Mutex<PostgresThread?>(nil)

    init(_ context: LogContext, _ followed: FollowedTopics, _ follows: FollowInbox, announces: Bool)
    {
        self.context = context
        self.followed = followed
        self.follows = follows
        topics = ReadInbox(context, role: "topics", threadCount: 1)
        announcer = announces ? Announcer(context) : nil
        let queue = AppendQueue(
            eventsMax: context.limits.appendQueueEventsMax,
            bytesMax: context.limits.appendQueueBytesMax)
        let flow = AppendFlow(
            queue: queue, createsTopics: context.createsTopics,
            limits: context.limits)
        state = Mutex(State(flow: flow))
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
        state.withLock {
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
        let (refusal, isToWake) = state.withLock { state -> (BrokerError?, Bool) in
            if let refusal = state.flow.admit(pending) { return (refusal, false) }
            defer { state.isAsleep = false }
            return (nil, state.isAsleep)
        }
        if let refusal {
            return AppendReply(pending: pending, result: .failure(refusal)).send()
        }
        // One system call for all that arrives while the thread wakes up.
        if isToWake { wakeup.signal() }
    }

    var isUp: Bool { state.withLock { $0.flow.isUp } }

    /// Looks at the flow, or changes it without causing replies.
    func flow<Value: Sendable>(_ body: (inout AppendFlow) -> Value) -> Value {
        state.withLock { body(&$0.flow) }
    }

    /// Changes the flow, and then sends the replies.
    @discardableResult
    func replying<Value: Sendable>(
        _ body: (inout AppendFlow, inout [AppendReply]) -> Value
    ) -> Value {
        let (value, replies) = state.withLock { state -> (Value, [AppendReply]) in
            var replies: [AppendReply] = []
            let value = body(&state.flow, &replies)
            return (value, replies)
        }
        for reply in replies { reply.send() }
        return value
    }

    /// The answer to a question came: the append thread may be waiting for it.
    func answered(_ body: (inout AppendFlow, inout [AppendReply]) -> Void) {
        replying(body)
        let isToWake = state.withLock { state in
            defer { state.isAsleep = false }
            return state.isAsleep
        }
        if isToWake { wakeup.signal() }
    }

    // MARK: For the append thread

    /// `false`: there is something to do.
    func fallAsleep() -> Bool {
        state.withLock { state in
            guard !state.flow.hasNews, !state.flow.isDone else { return false }
            state.isAsleep = true
            return true
        }
    }

    func wakeUp() { state.withLock { $0.isAsleep = false } }
}
