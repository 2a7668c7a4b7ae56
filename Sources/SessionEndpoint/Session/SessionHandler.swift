internal import AccessControl
internal import Delivery
internal import EventModel
internal import FanOut
internal import Filtering
internal import NIOCore
internal import Publishing
internal import SessionProtocol
internal import Transport

/// The session of `GET /v1/connect` (doc:Session): performs what its conversation decides.
final class SessionHandler: MessageHandler {
    private let services: SessionServices
    private let isBatched: Bool
    private var conversation: SessionConversation
    /// `nil` once the connection is over.
    private var connection: SubscriberConnection?
    private var identity: Identity?

    /// Makes the session; `admission` is what the upgrade's own credentials came to.
    init(
        _ connection: SubscriberConnection, services: SessionServices, admission: SessionAdmission,
        query: SessionQuery
    ) {
        self.services = services
        isBatched = query.isBatched
        self.connection = connection
        identity = admission.identity
        conversation = SessionConversation(
            terms: services.terms, session: services.makeSessionName(),
            identity: admission.identity?.tokenID, expires: admission.identity?.expires,
            requiresAuth: admission.requiresAuth, isBatched: query.isBatched)
        var actions: [SessionConversation.Action] = []
        conversation.start(now: .now, into: &actions)
        opening = actions
        refusal = admission.refusal
    }

    /// What is said first, once the connection can be written to.
    private var opening: [SessionConversation.Action]
    private var refusal: BrokerError?

    func opened() {
        perform(opening)
        opening = []
        guard let refusal else { return }
        // A browser can't read a failed upgrade, so a bad subprotocol token or ticket is told in
        // the session (doc:Session).
        connection?.send([.error(ErrorMessage(refusal, to: "auth"))])
        decide { $0.end(refusal.code.isRetryable ? .internal : .unauthorized, now: $1, into: &$2) }
    }

    // MARK: Inputs

    func received(text: [UInt8]) {
        decide { $0.messageReceived(text, now: $1, into: &$2) }
    }

    func receivedBinary() {
        decide { $0.binaryReceived(now: $1, into: &$2) }
    }

    func sent(now: ContinuousClock.Instant) { conversation.sent(now: now) }

    func tick(now: ContinuousClock.Instant) {
        guard let deadline = conversation.deadline, now >= deadline else { return }
        decide { $0.tick(now: $1, into: &$2) }
    }

    func drain(reconnectAfter: Duration) {
        decide { $0.drain(reconnectAfter: reconnectAfter, now: $1, into: &$2) }
    }

    func end(_ code: CloseCode) { decide { $0.end(code, now: $1, into: &$2) } }

    var messageBytesMax: Int { conversation.messageBytesMax }

    var tokenID: String? { identity?.tokenID }

    func closed() {
        conversation.connectionClosed()
        connection = nil
    }

    private func decide(
        _ input: (inout SessionConversation, Moment, inout [SessionConversation.Action]) -> Void
    ) {
        var actions: [SessionConversation.Action] = []
        input(&conversation, .now, &actions)
        perform(actions)
    }

    private func perform(_ actions: [SessionConversation.Action]) {
        var replies: [BrokerMessage] = []
        for action in actions {
            if case .send(let message) = action {
                replies.append(message)
                // What is done next may say more, and stays behind what was said before it.
                if isBatched { continue }
            }
            send(&replies)
            switch action {
            case .send: break
            case .authenticate(let token): authenticate(token)
            case .subscribe(let request, let filter): subscribe(request, filter)
            case .credit(let id, let events): connection?.outlet.grant(events, to: id)
            case .update(let id, let changes, let filter):
                connection?.outlet.update(id, maxRate: changes.maxRate, filter: filter)
            case .unsubscribe(let id): unsubscribe(id)
            case .publish(let message): publish(message)
            case .close(let code, let reason): connection?.close(code.rawValue, reason: reason)
            }
        }
        send(&replies)
    }

    private func send(_ replies: inout [BrokerMessage]) {
        if !replies.isEmpty { connection?.send(replies) }
        replies = []
    }

    // MARK: Credentials

    private func authenticate(_ token: String) {
        guard let connection, let authenticate = services.authenticate else {
            // Without access control everybody is welcome, with any token.
            return decide {
                $0.authenticated(identity: "", expires: nil, now: $1, into: &$2)
            }
        }
        let bound = NIOLoopBound(self, eventLoop: connection.info.eventLoop)
        authenticate(token) { result in
            bound.eventLoop.execute { bound.value.authenticated(result) }
        }
    }

    private func authenticated(_ result: Result<Identity, BrokerError>) {
        switch result {
        case .success(let identity):
            // The session refuses another identity than its first (doc:Session, Credentials).
            self.identity = self.identity ?? identity
            decide {
                $0.authenticated(
                    identity: identity.tokenID, expires: identity.expires, now: $1, into: &$2)
            }
        case .failure(let error):
            decide { $0.authenticationFailed(error, now: $1, into: &$2) }
        }
    }

    // MARK: Subscriptions

    private func subscribe(_ request: SubscribeRequest, _ filter: EventFilter?) {
        let question: StartOperation.Question
        do throws(BrokerError) {
            question = try StartOperation.Question(
                patterns: request.patterns, from: request.from, cursors: request.cursors,
                by: Permission(of: identity))
        } catch {
            return decide { $0.subscribeRefused(id: request.id, error, now: $1, into: &$2) }
        }
        guard let connection,
            let subscription = connection.outlet.makeSubscription(
                id: request.id, of: question, options: request.options, filter: filter)
        else { return }
        let shard = connection.loop.shard
        shard.register(subscription)
        let now = Moment.now
        ResumePoint.find(
            for: request.from, now: now, on: connection.loop, log: services.log
        ) { [self] resumeFrom in
            let operation = StartOperation(
                question, loop: connection.loop, log: services.log
            ) { [self] result in
                switch result {
                case .success(let starts):
                    let message = BrokerMessage.Subscribed(
                        id: request.id, question, starts: starts, resumeFrom: resumeFrom)
                    let walk = StartWalk(
                        question, now: now, loop: connection.loop, log: services.log)
                    subscribed(message, subscription, starts, question, walk)
                case .failure(let error):
                    shard.remove(subscription)
                    decide { $0.subscribeRefused(id: request.id, error, now: $1, into: &$2) }
                }
            }
            operation.run(now: now)
        }
    }

    private func subscribed(
        _ message: BrokerMessage.Subscribed, _ subscription: Subscription,
        _ starts: [ReaderStart], _ question: StartOperation.Question, _ walk: StartWalk?
    ) {
        decide { $0.subscribed(message, now: $1, into: &$2) }
        // The client may have unsubscribed meanwhile, or gone.
        guard let connection, conversation.isOpen, connection.outlet.has(subscription) else {
            return
        }
        connection.loop.shard.join(
            subscription, starts, gone: question.gone(beside: starts), walk: walk)
    }

    private func unsubscribe(_ id: Int64) {
        guard let connection, let subscription = connection.outlet.subscription(id: id) else {
            return
        }
        connection.loop.shard.remove(subscription)
    }

    // MARK: Publishing

    private func publish(_ message: PublishMessage) {
        guard let connection else { return }
        let id = message.id
        let bound = NIOLoopBound(self, eventLoop: connection.info.eventLoop)
        services.publisher.publish(PublishRequest(message), by: identity) { result in
            LoopTasks.execute(on: bound.eventLoop) {
                bound.value.published(id, result.map(\.whole))
            }
        }
    }

    private func published(_ id: Int64, _ result: Result<AppendReceipt, BrokerError>) {
        switch result {
        case .success(let receipt):
            decide { $0.published(id: id, receipt, now: $1, into: &$2) }
        case .failure(let error):
            decide { $0.publishRefused(id: id, error, now: $1, into: &$2) }
        }
    }
}

@available(*, unavailable) extension SessionHandler: Sendable {}

extension BrokerMessage.Subscribed {
    /// Where the client stands in each exact topic: at its own cursor, verbatim, or before its
    /// start (doc:Session).
    init(
        id: Int64, _ question: StartOperation.Question, starts: [ReaderStart],
        resumeFrom: StartPosition?
    ) {
        let found = Dictionary(starts.map { ($0.feed.topic, $0) }) { first, _ in first }
        let topics = question.named.map { name in
            let start = found[name]
            var own = question.cursors[name]
            if own == nil, case .after(let cursor) = question.from { own = cursor }
            let cursor = own ?? start.map { Cursor(epoch: $0.feed.epoch, offset: $0.cursor) }
            let position = start?.feed.position
            return Topic(
                topic: name, cursor: start == nil && own == nil ? nil : cursor,
                earliest: position?.earliest ?? 1, latest: position?.latest ?? 0)
        }
        self.init(
            id: id, topics: topics, resumeFrom: resumeFrom?.text,
            granted: question.isNarrowed ? question.patterns : nil)
    }
}
