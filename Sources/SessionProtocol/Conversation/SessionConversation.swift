package import EventModel
package import Filtering

/// The broker's side of a session (doc:Session): what may be said when, and what is to be done
/// about it.
///
/// Time is an argument of every input. The caller performs the actions in order, and tells results
/// back by id; a result that comes after the close is ignored.
package struct SessionConversation: Sendable {
    package enum Action: Hashable, Sendable {
        case send(BrokerMessage)
        /// Answer with `authenticated` or `authenticationFailed`.
        case authenticate(token: String)
        /// Answer with `subscribed` or `subscribeRefused`; no event of it may be sent before. The
        /// filter is the request's, parsed.
        case subscribe(SubscribeRequest, filter: EventFilter? = nil)
        /// The client takes this many more events of a subscription, which may not stand yet.
        case credit(id: Int64, events: Int64)
        /// Changes a subscription, which may not stand yet and keeps its position. The filter is the
        /// changes' one, parsed.
        case update(id: Int64, SubscriptionChanges, filter: EventFilter?? = nil)
        /// No event of it may be sent any more.
        case unsubscribe(id: Int64)
        /// Answer with `published` or `publishRefused`. Those to one topic are appended in this
        /// order.
        case publish(PublishMessage)
        /// The close handshake begins; the reason is the code's name.
        case close(CloseCode, reason: String)
    }

    private enum Phase: Sendable {
        case new
        /// It is not known yet who the client is.
        case entering
        case open
        case closed
    }

    private let terms: SessionTerms
    private let session: String
    private let isBatched: Bool
    private var phase = Phase.new
    private var credentials: SessionCredentials
    private var lastSent: ContinuousClock.Instant?
    private var faults = FaultCounter()
    private var subscriptions = SubscriptionTable()
    private var publishing: Set<Int64> = []

    /// - Parameters:
    ///   - terms: What all sessions of the node have in common.
    ///   - session: The session's name, e.g. `s_8f`.
    ///   - identity: Who the upgrade's credentials were, if it had any.
    ///   - expires: When they end.
    ///   - requiresAuth: Is `auth` awaited when there is no identity yet?
    ///   - isBatched: Whether a text of the client may be an array of messages.
    package init(
        terms: SessionTerms, session: String, identity: String? = nil, expires: Timestamp? = nil,
        requiresAuth: Bool, isBatched: Bool = false
    ) {
        self.terms = terms
        self.session = session
        self.isBatched = isBatched
        credentials = SessionCredentials(
            identity: identity, expires: expires, isRequired: requiresAuth)
    }

    /// Welcome was said, and the session has not ended.
    package var isOpen: Bool {
        if case .open = phase { true } else { false }
    }

    /// Bytes of one message that the client may send now.
    package var messageBytesMax: Int {
        let limits = terms.limits
        return isOpen
            ? limits.messageBytesMax : min(limits.messageBytesMax, limits.messageBytesBeforeAuthMax)
    }

    /// When `tick` has something to do; `nil` once closed.
    package var deadline: ContinuousClock.Instant? {
        switch phase {
        case .new, .closed: return nil
        case .entering: return credentials.deadline
        case .open:
            let heartbeat = lastSent.map { $0 + terms.limits.heartbeatInterval }
            return [heartbeat, credentials.expiresAt].compactMap { $0 }.min()
        }
    }
}

// MARK: Beginning and end

extension SessionConversation {
    /// The connection was upgraded.
    package mutating func start(now: Moment, into actions: inout [Action]) {
        guard case .new = phase else {
            preconditionFailure("bug: session \(session) started twice")
        }
        credentials.begin(deadline: now.instant + terms.limits.authTimeout)
        if credentials.areAwaited {
            phase = .entering
        } else {
            welcome(now: now, into: &actions)
        }
    }

    /// The token is good.
    package mutating func authenticated(
        identity: String, expires: Timestamp?, now: Moment, into actions: inout [Action]
    ) {
        guard isUnderWay else { return }  // The session ended while the token was checked.
        switch credentials.accept(identity, expires: expires, now: now) {
        case .first(let id, let held):
            welcome(now: now, into: &actions)
            send(.authenticated(expires: expires, id: id), now: now, into: &actions)
            for bytes in held { messageReceived(bytes, now: now, into: &actions) }
        case .renewal(let id):
            send(.authenticated(expires: expires, id: id), now: now, into: &actions)
        case .refusedRenewal(let id):
            let error = BrokerError(
                .forbidden, "'auth' may extend the session's identity, not change it.",
                remedy: "Open another session for another identity.")
            fail(error, id: id, to: "auth", now: now, into: &actions)
        case nil: break
        }
    }

    /// The token is not good, or could not be checked; only the former ends the session.
    package mutating func authenticationFailed(
        _ error: BrokerError, now: Moment, into actions: inout [Action]
    ) {
        // The session may have ended while the token was checked.
        guard isUnderWay, let (id, held) = credentials.refuse() else { return }
        send(.error(ErrorMessage(error, id: id, to: "auth")), now: now, into: &actions)
        if !error.code.isRetryable { close(.unauthorized, now: now, into: &actions) }
        // What was sent behind the token is answered too: that it came without credentials.
        for bytes in held { messageReceived(bytes, now: now, into: &actions) }
    }

    private var isUnderWay: Bool {
        switch phase {
        case .entering, .open: true
        case .new, .closed: false
        }
    }

    /// The broker is going down, or sheds sessions.
    package mutating func drain(
        reconnectAfter: Duration, now: Moment, into actions: inout [Action]
    ) {
        end(.drain, reconnectAfter: reconnectAfter, now: now, into: &actions)
    }

    /// Ends the session for a reason of the caller, like a revoked token or an operator's wish.
    package mutating func end(
        _ code: CloseCode, reconnectAfter: Duration? = nil, now: Moment,
        into actions: inout [Action]
    ) {
        if isOpen {
            send(.closing(.init(code, reconnectAfter: reconnectAfter)), now: now, into: &actions)
        }
        close(code, now: now, into: &actions)
    }

    /// The connection is gone or going, by the client's wish or a fault: nothing is said any more.
    package mutating func connectionClosed() { finish() }

    /// Something was written to the session by other hands, so it needs no heartbeat.
    package mutating func sent(now: ContinuousClock.Instant) { lastSent = now }

    package mutating func tick(now: Moment, into actions: inout [Action]) {
        switch phase {
        case .entering:
            guard let deadline = credentials.deadline, now.instant >= deadline else { return }
            let error = BrokerError(
                .unauthorized, "No valid credentials within \(terms.limits.authTimeout).",
                remedy: #"Send {"type":"auth","token":"…"} first."#)
            send(.error(ErrorMessage(error, to: "auth")), now: now, into: &actions)
            close(.authTimeout, now: now, into: &actions)
        case .open:
            if let expiresAt = credentials.expiresAt, now.instant >= expiresAt {
                end(.tokenExpired, now: now, into: &actions)
            } else if let lastSent, now.instant >= lastSent + terms.limits.heartbeatInterval {
                send(.heartbeat(time: now.time), now: now, into: &actions)
            }
        case .new, .closed:
            break
        }
    }

    private mutating func welcome(now: Moment, into actions: inout [Action]) {
        phase = .open
        credentials.opened(now: now)
        let message = BrokerMessage.Welcome(
            session: session, node: terms.node, version: terms.version, time: now.time,
            expires: credentials.expires, limits: terms.limits)
        send(.welcome(message), now: now, into: &actions)
    }

    private mutating func send(
        _ message: BrokerMessage, now: Moment, into actions: inout [Action]
    ) {
        lastSent = now.instant
        actions.append(.send(message))
    }

    private mutating func close(_ code: CloseCode, now: Moment, into actions: inout [Action]) {
        if case .closed = phase { return }
        finish()
        actions.append(.close(code, reason: code.name))
    }

    private mutating func finish() {
        phase = .closed
        subscriptions = SubscriptionTable()
        publishing = []
    }
}

// MARK: What the client says

extension SessionConversation {
    /// A text came: a message, or an array of them in a session that is batched.
    package mutating func messageReceived(
        _ bytes: [UInt8], now: Moment, into actions: inout [Action]
    ) {
        guard isBatched, isUnderWay else {
            return messageReceived(bytes, in: nil, now: now, into: &actions)
        }
        do throws(BrokerError) {
            let ranges = try MessageBatch.ranges(in: bytes)
            for range in ranges.map({ $0.map(Optional.some) }) ?? [nil] {
                messageReceived(bytes, in: range, now: now, into: &actions)
            }
        } catch {
            fail(error, id: nil, to: nil, now: now, into: &actions)
        }
    }

    private mutating func messageReceived(
        _ bytes: [UInt8], in range: Range<Int>?, now: Moment, into actions: inout [Action]
    ) {
        switch phase {
        case .entering where credentials.isChecking:
            if credentials.hold(range.map { Array(bytes[$0]) } ?? bytes) { return }
            let error = BrokerError(
                .unauthorized, "Too much was sent before the token was checked.",
                remedy: "Wait for 'welcome'.")
            fail(error, id: nil, to: nil, now: now, into: &actions)
        case .entering: firstMessage(bytes, in: range, now: now, into: &actions)
        case .open:
            do throws(ClientMessageRefusal) {
                try handle(decode(bytes, in: range), now: now, into: &actions)
            } catch {
                subscriptions.refused(error, limits: terms.limits)
                fail(error.error, id: error.id, to: error.to, now: now, into: &actions)
                endFlood(error.error, now: now, into: &actions)
            }
        case .new, .closed:
            break  // Bytes that were on their way when the session ended.
        }
    }

    /// A binary message came; the protocol has none.
    package mutating func binaryReceived(now: Moment, into actions: inout [Action]) {
        end(.unsupportedData, now: now, into: &actions)
    }

    private func decode(
        _ bytes: [UInt8], in range: Range<Int>?
    ) throws(ClientMessageRefusal) -> ClientMessage {
        try ClientMessage.decode(bytes, in: range, limits: terms.limits)
    }

    private mutating func firstMessage(
        _ bytes: [UInt8], in range: Range<Int>?, now: Moment, into actions: inout [Action]
    ) {
        do throws(ClientMessageRefusal) {
            let message = try decode(bytes, in: range)
            guard case .auth(let token, let id) = message else {
                let error = BrokerError(
                    .unauthorized, "The first message must be 'auth'.",
                    remedy: #"Send {"type":"auth","token":"…"} first."#)
                throw ClientMessageRefusal(error, id: message.id, to: message.type)
            }
            credentials.check(id: id)
            actions.append(.authenticate(token: token))
        } catch {
            fail(error.error, id: error.id, to: error.to, now: now, into: &actions)
        }
    }

    private mutating func handle(
        _ message: ClientMessage, now: Moment, into actions: inout [Action]
    ) throws(ClientMessageRefusal) {
        do throws(BrokerError) {
            switch message {
            case .auth(let token, let id):
                guard !credentials.isChecking else {
                    throw BrokerError(
                        .invalidRequest, "Another 'auth' is being checked.",
                        remedy: "Wait for its answer.")
                }
                credentials.check(id: id)
                actions.append(.authenticate(token: token))
            case .subscribe(var request):
                try faults.addSubscribe(
                    of: request.patterns.count, now: now.instant, limits: terms.limits)
                let filter = try terms.filter(request.filter)
                try subscriptions.add(&request, limits: terms.limits)
                actions.append(.subscribe(request, filter: filter))
            case .cursors(let id, let cursors):
                try subscriptions.keep(cursors, for: id, limits: terms.limits)
            case .unsubscribe(let id): try unsubscribe(id, now: now, into: &actions)
            case .credit(let id, let events):
                guard let id else { preconditionFailure("bug: a session's credit has no id") }
                try subscriptions.grant(events, to: id)
                actions.append(.credit(id: id, events: events))
            case .update(let id, let changes):
                try subscriptions.checkWanted(id)
                var filter: EventFilter?? = nil
                if let text = changes.filter { filter = .some(try terms.filter(text)) }
                actions.append(.update(id: id, changes, filter: filter))
                send(.updated(id: id), now: now, into: &actions)
            case .publish(let request): try publish(request, into: &actions)
            case .ping(let id): send(.pong(id: id, time: now.time), now: now, into: &actions)
            }
        } catch {
            throw ClientMessageRefusal(error, id: message.id, to: message.type)
        }
    }

    private mutating func unsubscribe(
        _ id: Int64, now: Moment, into actions: inout [Action]
    ) throws(BrokerError) {
        switch subscriptions[id] {
        case .standing:
            subscriptions.remove(id)
            actions.append(.unsubscribe(id: id))
            send(.unsubscribed(id: id), now: now, into: &actions)
        case .asked:
            // Its answer is on the way; the id is free once both answers are given.
            subscriptions.set(id, .askedAndUnwanted)
        case nil where subscriptions.isToCome(id):
            subscriptions.forgetToCome(id)
            send(.unsubscribed(id: id), now: now, into: &actions)
        case .askedAndUnwanted, nil: throw SubscriptionTable.missing(id)
        }
    }

    private mutating func publish(
        _ message: PublishMessage, into actions: inout [Action]
    ) throws(BrokerError) {
        guard publishing.count < terms.limits.publishesInFlightMax else {
            throw BrokerError(
                .rateLimited,
                "\(publishing.count) publishes of the session wait for their outcome.",
                remedy: "Wait for answers before sending more.")
        }
        guard publishing.insert(message.id).inserted else {
            throw BrokerError(
                .invalidRequest, "Publish \(message.id) is not answered yet.",
                remedy: "Use another id.", at: InputPlace(field: "id"))
        }
        actions.append(.publish(message))
    }

    /// Tells the client of its fault, and ends the session when there are too many of them.
    private mutating func fail(
        _ error: BrokerError, id: Int64?, to: String?, now: Moment, into actions: inout [Action]
    ) {
        send(.error(ErrorMessage(error, id: id, to: to)), now: now, into: &actions)
        // To be told to wait is not a fault; nor is what the broker could not do.
        guard !error.code.isRetryable else { return }
        let areTooMany = faults.add(
            now: now.instant, faultsPerMinuteMax: terms.limits.faultsPerMinuteMax)
        if areTooMany { end(.tooManyErrors, now: now, into: &actions) }
    }

    /// Ends the session of a client that subscribes on and on although it is told to wait.
    private mutating func endFlood(
        _ error: BrokerError, now: Moment, into actions: inout [Action]
    ) {
        guard isOpen, faults.isFlood(limits: terms.limits) else { return }
        end(.rateLimited, reconnectAfter: error.retryAfter, now: now, into: &actions)
    }
}

// MARK: What became of it

extension SessionConversation {
    /// A subscription stands.
    package mutating func subscribed(
        _ message: BrokerMessage.Subscribed, now: Moment, into actions: inout [Action]
    ) {
        switch subscriptions[message.id] {
        case .asked:
            subscriptions.set(message.id, .standing)
            send(.subscribed(message), now: now, into: &actions)
        case .askedAndUnwanted:
            subscriptions.remove(message.id)
            send(.subscribed(message), now: now, into: &actions)
            actions.append(.unsubscribe(id: message.id))
            send(.unsubscribed(id: message.id), now: now, into: &actions)
        case .standing: preconditionFailure("bug: subscription \(message.id) answered twice")
        case nil: break  // The session ended meanwhile.
        }
    }

    /// A subscription can't be had.
    package mutating func subscribeRefused(
        id: Int64, _ error: BrokerError, now: Moment, into actions: inout [Action]
    ) {
        guard let state = subscriptions[id] else { return }  // The session ended meanwhile.
        subscriptions.remove(id)
        fail(error, id: id, to: "subscribe", now: now, into: &actions)
        guard isOpen, state == .askedAndUnwanted else { return }
        send(.unsubscribed(id: id), now: now, into: &actions)
    }

    /// The broker ends a subscription, as when its grant was revoked; nothing more of it is
    /// delivered.
    package mutating func subscriptionEnded(
        id: Int64, because error: BrokerError, now: Moment, into actions: inout [Action]
    ) {
        guard subscriptions[id] != nil else { return }  // The client was faster.
        subscriptions.remove(id)
        send(.unsubscribed(id: id, notice: .init(error)), now: now, into: &actions)
    }

    /// An event was appended.
    package mutating func published(
        id: Int64, _ receipt: AppendReceipt, now: Moment, into actions: inout [Action]
    ) {
        guard publishing.remove(id) != nil else { return }  // The session ended meanwhile.
        send(.published(.init(id: id, receipt: receipt)), now: now, into: &actions)
    }

    /// An event was not appended.
    package mutating func publishRefused(
        id: Int64, _ error: BrokerError, now: Moment, into actions: inout [Action]
    ) {
        guard publishing.remove(id) != nil else { return }  // The session ended meanwhile.
        if error.code.httpStatus == 400 {
            fail(error, id: id, to: "publish", now: now, into: &actions)
        } else {
            // A moved head, a missing right or a slow log are answers, not misuse.
            let message = ErrorMessage(error, id: id, to: "publish")
            send(.error(message), now: now, into: &actions)
        }
    }
}
