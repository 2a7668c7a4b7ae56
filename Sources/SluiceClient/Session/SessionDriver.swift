internal import NIOCore
internal import SessionProtocol
internal import Transport
internal import WebSocketCodec

/// Performs what a shared session decides: connections, timers, and what goes to mailboxes.
///
/// Confined to the session's event loop, on which all its connections are.
final class SessionDriver {
    private let loop: any EventLoop
    private let connector: BrokerConnector
    private let isBatched: Bool
    private let pool: SessionPool
    private var session: SharedSession
    private var random = SystemRandomNumberGenerator()
    private var mailboxes: [Int64: SubscriptionMailbox] = [:]
    /// Counts connections, so that what comes of one that was left is known by its number.
    private var connection = 0
    private var socket: SessionSocket?
    private var ear: SessionEar?
    /// The token that the connection was opened with.
    private var token: String?
    /// Says that a token is good no more; the next connection waits for it.
    private var refusal: Task<Void, Never>?
    private var timers: [Scheduled<Void>] = []
    /// Messages of the connection that are read behind this turn of the loop.
    private var arrived: [[UInt8]] = []
    private var isReading = false

    /// `hasConnected`: whether the broker was reached before, by another session of the pool.
    init(
        _ pool: SessionPool, on loop: any EventLoop, isBatched: Bool, hasConnected: Bool
    ) {
        self.pool = pool
        self.loop = loop
        self.isBatched = isBatched
        connector = pool.connector
        session = SharedSession(
            hasConnected: hasConnected, canRenew: connector.tokens.isRenewable)
    }

    // MARK: From subscribers

    func join(_ progress: SubscriptionProgress, _ mailbox: SubscriptionMailbox) {
        mailboxes[progress.id] = mailbox
        decide { $0.join(progress.id, progress, now: .now, into: &$1) }
    }

    func leave(_ id: Int64) {
        mailboxes[id] = nil
        decide { $0.leave(id, into: &$1) }
    }

    func took(_ id: Int64, events: Int, bytes: Int) {
        decide { $0.took(id, events: events, bytes: bytes, now: .now, into: &$1) }
    }

    func update(_ id: Int64, maxRate: Int?) {
        decide { $0.update(id, maxRate: maxRate, into: &$1) }
    }

    // MARK: From the connection

    func received(_ messages: [[UInt8]]) {
        arrived += messages
        guard !isReading else { return }
        isReading = true
        // What one read of the socket brought comes record by record, and wakes the subscribers
        // once.
        loop.assumeIsolated().execute { self.read() }
    }

    private func read() {
        isReading = false
        let messages = arrived
        arrived = []
        let now = ContinuousClock.now
        decide { session, actions in
            for message in messages {
                session.received(message, now: now, jitter: &random, into: &actions)
            }
        }
    }

    func ended(_ end: SessionEnd) {
        read()
        decide { $0.ended(end, now: .now, jitter: &random, into: &$1) }
    }

    // MARK: Decisions

    private func decide(
        _ input: (inout SharedSession, inout [SharedSession.Action]) -> Void
    ) {
        var actions: [SharedSession.Action] = []
        input(&session, &actions)
        // What one subscriber gets wakes it once.
        var items: [Int64: [SubscriptionItem]] = [:]
        for action in actions {
            if case .deliver(let item, let id) = action {
                items[id, default: []].append(item)
            } else {
                if case .fail(let id, _) = action { put(items.removeValue(forKey: id), id) }
                perform(action)
            }
        }
        for (id, items) in items { put(items, id) }
    }

    private func put(_ items: [SubscriptionItem]?, _ id: Int64) {
        if let items { mailboxes[id]?.put(items, takenStep: session.takenStep(of: id)) }
    }

    private func perform(_ action: SharedSession.Action) {
        switch action {
        case .deliver: break  // Put down with the others of its subscriber.
        case .connect: connect()
        case .leave: leaveConnection()
        case .send(let text): socket?.send(text: text)
        case .fail(let id, let error):
            mailboxes.removeValue(forKey: id)?.finish(error)
            pool.forget(id)
        case .move(let id): move(id)
        case .watch(let silenceMax): socket?.watch(silenceMax: silenceMax)
        case .wake(let wait): schedule(after: wait) { $0.decide { $0.wake(into: &$1) } }
        case .forgetToken:
            let (tokens, token) = (connector.tokens, token)
            refusal = Task { await tokens.refuse(token) }
        case .renewToken(let wait): schedule(after: wait) { $0.renewToken() }
        }
    }

    private func move(_ id: Int64) {
        var progress: SubscriptionProgress?
        decide { progress = $0.moved(id, into: &$1) }
        guard let progress, let mailbox = mailboxes.removeValue(forKey: id) else { return }
        pool.move(progress, isBatched: isBatched, mailbox)
    }

    /// A timer of the present connection, or of the wait for the next one.
    private func schedule(after wait: Duration, _ body: @escaping (SessionDriver) -> Void) {
        let number = connection
        let timer = loop.assumeIsolated().scheduleTask(in: TimeAmount(wait)) { [weak self] in
            if let self, self.connection == number { body(self) }
        }
        timers.append(timer)
    }

    private func renewToken() {
        let (loop, tokens, number) = (loop, connector.tokens, connection)
        let place = NIOLoopBound(self, eventLoop: loop)
        Task {
            let token = try? await tokens.freshToken()
            loop.execute { place.value.renewed(token, connection: number) }
        }
    }

    private func renewed(_ token: String?, connection number: Int) {
        guard number == connection else { return }
        guard let token else { return decide { $0.noTokenCame(now: .now, into: &$1) } }
        decide { $0.tokenCame(token, into: &$1) }
    }
}

@available(*, unavailable) extension SessionDriver: Sendable {}

// MARK: Connections

extension SessionDriver {
    private func connect() {
        connection += 1
        let (number, loop, connector, isBatched) = (connection, loop, connector, isBatched)
        let place = NIOLoopBound(self, eventLoop: loop)
        let refusal = refusal
        self.refusal = nil
        // It ends by itself, when connecting takes too long.
        Task {
            await refusal?.value
            let outcome: Result<String?, SluiceError>
            do throws(SluiceError) {
                let token = try await connector.openSession(on: loop, isBatched: isBatched) {
                    place.value.begin($0, $1, connection: number)
                }
                outcome = .success(token)
            } catch {
                outcome = .failure(error)
            }
            loop.execute { place.value.opened(outcome, connection: number) }
        }
    }

    /// The broker switched protocols; what it says is held back until its answer was checked.
    private func begin(
        _ stream: StreamConnection, _ compression: MessageCompression?, connection number: Int
    ) -> SessionSocket {
        let ear = SessionEar()
        let socket = SessionSocket(stream, receiver: ear, compression: compression)
        guard number == connection else {
            loop.assumeIsolated().execute { socket.leave() }
            return socket
        }
        self.ear = ear
        self.socket = socket
        return socket
    }

    private func opened(_ outcome: Result<String?, SluiceError>, connection number: Int) {
        guard number == connection else { return }
        switch outcome {
        case .success(let token):
            self.token = token
            pool.connected()
            decide { session, _ in session.opened(now: .now) }
            ear?.open(self)
        case .failure(let error):
            socket?.leave()
            (socket, ear) = (nil, nil)
            decide { $0.notOpened(error, now: .now, jitter: &random, into: &$1) }
        }
    }

    private func leaveConnection() {
        connection += 1
        for timer in timers { timer.cancel() }
        timers = []
        arrived = []
        ear?.driver = nil
        socket?.leave()
        (socket, ear) = (nil, nil)
    }
}

/// Takes what comes of one connection, as long as it is the driver's.
///
/// Confined to the session's event loop.
private final class SessionEar: SessionReceiver {
    weak var driver: SessionDriver?
    /// What came before the broker's answer was checked; `nil` from then on.
    private var early: [[UInt8]]? = []
    private var earlyEnd: SessionEnd?

    func open(_ driver: SessionDriver) {
        self.driver = driver
        let messages = early ?? []
        early = nil
        if !messages.isEmpty { driver.received(messages) }
        if let earlyEnd { self.driver?.ended(earlyEnd) }
    }

    func put(_ messages: [[UInt8]]) -> Bool {
        if early == nil { driver?.received(messages) } else { early? += messages }
        return false
    }

    func finish(_ end: SessionEnd) {
        if early == nil { driver?.ended(end) } else { earlyEnd = end }
    }
}

@available(*, unavailable) extension SessionEar: Sendable {}
