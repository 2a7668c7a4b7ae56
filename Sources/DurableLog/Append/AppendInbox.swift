internal import EventModel
internal import PostgresBridge
internal import Synchronization

/// Takes requests in on any thread, for the append thread to commit in batches.
///
/// A request whose topic turns out to be ephemeral goes on to the inbox of those.
/// What would keep that thread waiting is done beside it: topics are looked up and created, and
/// announces sent, each on a thread and a connection of their own.
final class AppendInbox: Sendable {
    private struct State {
        var flow: AppendFlow
        /// The thread waits for a signal.
        var isAsleep = false
    }

    let way: AppendWay
    let context: LogContext
    let followed: FollowedTopics
    let follows: FollowInbox
    /// Where what is published to ephemeral topics goes from here; `nil`: this is it.
    private let ephemera: AppendInbox?
    /// Looks topics up, and creates them.
    let topics: ReadInbox
    /// `nil`: nobody else listens.
    let announcer: Announcer?
    let watch: PartWatch
    let wakeup = PostgresWakeup()
    private let state: Mutex<State>
    private let thread = Mutex<PostgresThread?>(nil)

    /// Of the log.
    convenience init(_ ephemera: AppendInbox, announces: Bool) {
        self.init(
            .log, ephemera.context, ephemera.followed, ephemera.follows, topics: ephemera.topics,
            ephemera: ephemera, announcer: announces ? Announcer(ephemera.context) : nil)
    }

    /// Of ephemeral topics, which LISTEN tells to all nodes, and to this one.
    convenience init(
        ephemera context: LogContext, _ followed: FollowedTopics, _ follows: FollowInbox,
        topics: ReadInbox
    ) {
        self.init(
            .ephemera, context, followed, follows, topics: topics, ephemera: nil, announcer: nil)
    }

    private init(
        _ way: AppendWay, _ context: LogContext, _ followed: FollowedTopics,
        _ follows: FollowInbox, topics: ReadInbox, ephemera: AppendInbox?, announcer: Announcer?
    ) {
        self.way = way
        self.context = context
        self.followed = followed
        self.follows = follows
        self.topics = topics
        self.ephemera = ephemera
        self.announcer = announcer
        watch = PartWatch(way.role, logger: context.logger)
        let queue = AppendQueue(
            eventsMax: context.limits.appendQueueEventsMax,
            bytesMax: context.limits.appendQueueBytesMax)
        let flow = AppendFlow(
            way, queue: queue, createsTopics: way == .log && context.createsTopics,
            limits: context.limits)
        state = Mutex(State(flow: flow))
    }

    func start() {
        announcer?.start()
        // 0 is the drain of the outbox; the random number is this node's (log of writers,
        // doc:AppendAndFollow).
        let writerID = Int64.random(in: 1...Int64.max)
        let thread = PostgresThread(name: "sluice-\(way.role)") { [self] in
            AppendThread(self, writerID: writerID).run()
        }
        self.thread.withLock { $0 = thread }
    }

    /// Refuses new requests, and finishes those that were taken in.
    func drain() {
        state.withLock {
            $0.flow.isDraining = true
            $0.isAsleep = false
        }
        wakeup.signal()
    }

    /// Ends the threads, behind `drain`.
    ///
    /// Returns after `outcomeTimeout` at the latest, whatever the database does.
    func stop() {
        thread.withLock { $0 }?.join()
        announcer?.stop()
    }

    /// `wakes`: Otherwise `wake` has to follow.
    func append(
        _ request: AppendRequest, wakes: Bool = true, completion: @escaping AppendCompletion
    ) {
        let pending = PendingAppend(request, completion: completion)
        let mayGoOn = isEphemeral(request)
        let admission = state.withLock { state in
            // What came before it to the topic must not be overtaken.
            if mayGoOn, !state.flow.isWaiting(for: request.parts[0].topic) {
                return Admission.elsewhere
            }
            return admit(pending, &state, wakes: wakes)
        }
        if case .elsewhere = admission { return ephemera?.take(pending, wakes: wakes) ?? () }
        act(on: admission, of: pending)
    }

    /// Wakes the thread for what was queued without.
    func wake() {
        let isToWake = state.withLock { state in
            guard state.isAsleep, state.flow.hasNews else { return false }
            state.isAsleep = false
            return true
        }
        if isToWake { wakeup.signal() }
        ephemera?.wake()
    }

    private enum Admission {
        case refused(BrokerError)
        case queued(isToWake: Bool)
        case elsewhere
    }

    /// Whether it is known to belong to the inbox of ephemeral topics.
    private func isEphemeral(_ request: AppendRequest) -> Bool {
        guard ephemera != nil, let incarnation = context.incarnation.current else { return false }
        let topic = request.parts[0].topic
        return context.catalog.entry(of: topic, in: incarnation)?.isEphemeral == true
            && request.refusal(ofEphemeral: topic) == nil
    }

    private func take(_ pending: PendingAppend, wakes: Bool) {
        act(on: state.withLock { admit(pending, &$0, wakes: wakes) }, of: pending)
    }

    private func admit(
        _ pending: PendingAppend, _ state: inout State, wakes: Bool
    ) -> Admission {
        if let refusal = state.flow.admit(pending) { return .refused(refusal) }
        guard wakes else { return .queued(isToWake: false) }
        defer { state.isAsleep = false }
        return .queued(isToWake: state.isAsleep)
    }

    private func act(on admission: Admission, of pending: PendingAppend) {
        switch admission {
        case .refused(let error):
            AppendReply(pending: pending, result: .failure(error)).send()
        // One system call for all that arrives while the thread wakes up.
        case .queued(let isToWake): if isToWake { wakeup.signal() }
        case .elsewhere: break
        }
    }

    /// Takes the requests of the next batch; those to ephemeral topics go on to their inbox.
    func takeBatch(in incarnation: String) -> AppendFlow.Taken {
        var admissions: [(PendingAppend, Admission)] = []
        let taken = replying { flow, replies in
            flow.createsTopics = way == .log && context.createsTopics
            let taken = flow.take(in: incarnation, now: .now, into: &replies) {
                context.catalog.entry(of: $0, in: incarnation)
            }
            guard let ephemera else { return taken }
            // Within this lock, so that a request that finds none waiting here is behind them. The
            // other inbox never takes its own lock before this one.
            admissions = taken.ephemeral.map { pending in
                (
                    pending,
                    ephemera.state.withLock { ephemera.admit(pending, &$0, wakes: true) }
                )
            }
            return taken
        }
        for (pending, admission) in admissions { ephemera?.act(on: admission, of: pending) }
        return taken
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
