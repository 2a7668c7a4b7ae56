internal import EventModel
internal import SessionProtocol

/// The subscriptions of one session, over all its connections: who gets what the broker says, what
/// is said to it, and when to come back.
///
/// A subscription whose events nobody takes holds up no other: it has a credit of its own, and what
/// waits of it beyond `SubscriptionBacklog.bytesMax` makes it leave the session, until that is
/// taken; then it goes on from the log.
///
/// Pure: time and chance are arguments.
struct SharedSession {
    enum Action: Equatable {
        /// Open a connection; answered by `opened` or `notOpened`.
        case connect
        /// Leave the connection, if there is one.
        case leave
        case send([UInt8])
        case deliver(SubscriptionItem, to: Int64)
        /// The subscription is over, behind what was delivered.
        case fail(Int64, SluiceError)
        /// Take the subscription out with `moved` and put it into a session of its own.
        case move(Int64)
        /// The broker promised to say something at least half as often as this.
        case watch(silenceMax: Duration)
        /// Call `wake` then.
        case wake(after: Duration)
        /// The token that the connection was opened with is good no more.
        case forgetToken
        /// Ask for another token then; answered by `tokenCame` or `noTokenCame`.
        case renewToken(after: Duration)
    }

    /// One subscription and its part in the present connection.
    struct Member {
        var progress: SubscriptionProgress
        var stand = Stand.away
        var backlog = SubscriptionBacklog()
    }

    enum Stand {
        /// It was not asked for on this connection.
        case away
        case asked
        case standing
        /// It was given up because too much of it waits; the broker has not answered yet.
        case leaving
        /// It is asked for when enough of what waits is taken, which may be now.
        case left
    }

    private enum Phase {
        case idle
        case connecting
        case waiting(reason: String, until: ContinuousClock.Instant)
        case open
    }

    private var phase = Phase.idle
    private var members: [Int64: Member] = [:]
    private var routes = SessionRoutes()
    private var backoff = ReconnectBackoff()
    /// The broker was reached before: now it is waited for.
    private var hasConnected: Bool
    /// There may be another token than the one that was used.
    private let canRenew: Bool
    /// Of the present connection.
    private var connection = Connection()

    private struct Connection {
        var began: ContinuousClock.Instant?
        /// There once the broker has said it.
        var welcome: BrokerMessage.Welcome?
        var lifetime: SessionLifetime?
        var reconnectAfter: Duration?
        /// Subscriptions that were asked for: they may be in the way of others, also after they
        /// left.
        var asked: Set<Int64> = []
    }

    /// - Parameters:
    ///   - hasConnected: Whether the broker was ever reached; one that never was is not waited for.
    ///   - canRenew: Whether the source of tokens may have another one.
    init(hasConnected: Bool, canRenew: Bool) {
        self.hasConnected = hasConnected
        self.canRenew = canRenew
    }

    /// Events of the subscription after which it should be told that they are taken.
    func takenStep(of id: Int64) -> Int { members[id]?.progress.takenStep ?? 1 }
}

extension SharedSession.Member {
    /// A message about the subscription came.
    ///
    /// - Throws: Why it is over.
    fileprivate mutating func received(
        _ message: BrokerMessage, _ text: [UInt8], into steps: inout [SubscriptionProgress.Step]
    ) throws(SluiceError) {
        // What is under way of a subscription that has left comes again, or nobody wants it.
        guard case .standing = stand else { return }
        try progress.received(message, text, into: &steps)
        guard case .event = message else { return }
        backlog.came(text.count)
        guard backlog.isFull else { return }
        stand = .leaving
        steps.append(.send(ClientMessage.unsubscribe(id: progress.id).encode()))
    }
}

// MARK: Subscriptions come and go

extension SharedSession {
    /// A subscription is to be a part of the session.
    mutating func join(
        _ id: Int64, _ progress: SubscriptionProgress, now: ContinuousClock.Instant,
        into actions: inout [Action]
    ) {
        members[id] = Member(progress: progress)
        routes.add(id, progress.patterns)
        switch phase {
        case .idle:
            phase = .connecting
            actions.append(.connect)
        case .connecting: break
        case .waiting(let reason, let until):
            let notice = SubscriptionNotice.disconnected(
                reason: reason, retryIn: max(until - now, .zero))
            actions.append(.deliver(.notice(notice, message: nil), to: id))
        case .open: subscribe(id, now: now, into: &actions)
        }
    }

    /// Nobody wants a subscription any more.
    mutating func leave(_ id: Int64, into actions: inout [Action]) {
        guard let member = forget(id) else { return }  // It has failed.
        if endIfEmpty(into: &actions) { return }
        switch member.stand {
        case .asked, .standing: actions.append(.send(ClientMessage.unsubscribe(id: id).encode()))
        case .away, .leaving, .left: break
        }
    }

    /// A subscription goes into another session; the answer to `move`.
    ///
    /// - Returns: `nil` if it has left.
    mutating func moved(_ id: Int64, into actions: inout [Action]) -> SubscriptionProgress? {
        defer { _ = endIfEmpty(into: &actions) }
        return forget(id)?.progress
    }

    private mutating func forget(_ id: Int64) -> Member? {
        guard let member = members.removeValue(forKey: id) else { return nil }
        routes.remove(id, member.progress.patterns)
        return member
    }

    private mutating func fail(
        _ id: Int64, _ error: SluiceError, into actions: inout [Action]
    ) {
        guard forget(id) != nil else { return }
        actions.append(.fail(id, error))
    }

    private mutating func failAll(_ error: SluiceError, into actions: inout [Action]) {
        for id in members.keys.sorted() { fail(id, error, into: &actions) }
        _ = endIfEmpty(into: &actions)
    }

    private mutating func endIfEmpty(into actions: inout [Action]) -> Bool {
        guard members.isEmpty else { return false }
        if case .idle = phase { return true }
        phase = .idle
        connection = Connection()
        actions.append(.leave)
        return true
    }

    /// Events of a subscription were taken.
    mutating func took(
        _ id: Int64, events: Int, bytes: Int, now: ContinuousClock.Instant,
        into actions: inout [Action]
    ) {
        members[id]?.backlog.took(bytes)
        var steps: [SubscriptionProgress.Step] = []
        members[id]?.progress.took(events, into: &steps)
        switch members[id]?.stand {
        case .asked, .standing: perform(steps, of: id, into: &actions)
        case .left: goOn(id, now: now, into: &actions)
        case .away, .leaving, nil: break
        }
    }

    /// Changes the rate of a subscription, now and for the next connections.
    mutating func update(_ id: Int64, maxRate: Int?, into actions: inout [Action]) {
        members[id]?.progress.maxRate = maxRate
        switch members[id]?.stand {
        case .asked, .standing:
            let changes = SubscriptionChanges(maxRate: .some(maxRate))
            actions.append(.send(ClientMessage.update(id: id, changes).encode()))
        case .away, .leaving, .left, nil: break
        }
    }

    /// Says what a subscription follows, and from where, once the broker has said welcome.
    private mutating func subscribe(
        _ id: Int64, now: ContinuousClock.Instant, into actions: inout [Action]
    ) {
        guard var welcome = connection.welcome, let lifetime = connection.lifetime else { return }
        // A subscription that joins later begins later, by the broker's clock.
        welcome.time = lifetime.time(now: now)
        var steps: [SubscriptionProgress.Step] = []
        members[id]?.progress.subscribe(in: welcome, into: &steps)
        members[id]?.stand = .asked
        connection.asked.insert(id)
        perform(steps, of: id, into: &actions)
    }

    private func perform(
        _ steps: [SubscriptionProgress.Step], of id: Int64, into actions: inout [Action]
    ) {
        for step in steps {
            switch step {
            case .item(let item): actions.append(.deliver(item, to: id))
            case .send(let text): actions.append(.send(text))
            }
        }
    }
}

// MARK: Connections come and go

extension SharedSession {
    /// The broker switched protocols.
    mutating func opened(now: ContinuousClock.Instant) {
        guard case .connecting = phase else { return }  // Everybody has left meanwhile.
        phase = .open
        hasConnected = true
        connection = Connection(began: now)
    }

    /// There is no connection.
    mutating func notOpened(
        _ error: SluiceError, now: ContinuousClock.Instant,
        jitter: inout some RandomNumberGenerator, into actions: inout [Action]
    ) {
        guard case .connecting = phase else { return }  // Everybody has left meanwhile.
        failed(error, now: now, jitter: &jitter, into: &actions)
    }

    /// The wait is over.
    mutating func wake(into actions: inout [Action]) {
        guard case .waiting = phase else { return }
        phase = .connecting
        actions.append(.connect)
    }

    /// The connection is over.
    mutating func ended(
        _ end: SessionEnd, now: ContinuousClock.Instant,
        jitter: inout some RandomNumberGenerator, into actions: inout [Action]
    ) {
        guard case .open = phase else { return }
        let asked = connection.reconnectAfter ?? .zero
        switch end {
        case .broken(let reason):
            lost(reason, asked: asked, now: now, jitter: &jitter, into: &actions)
        case .closed(let code, let reason):
            let shown = reason.isEmpty ? "code \(code ?? 1005)" : "\(code ?? 1005) \(reason)"
            switch CloseCode.Disposition(closeCode: code) {
            case .reconnect:
                lost(
                    "the broker closed: \(shown)", asked: asked, now: now, jitter: &jitter,
                    into: &actions)
            case .newCredentials where canRenew:
                actions.append(.forgetToken)
                lost(
                    "the broker closed: \(shown)", asked: .zero, now: now, jitter: &jitter,
                    into: &actions)
            case .newCredentials:
                let error = SluiceError(
                    .refused, code: reason, "The broker closed the session: \(shown).",
                    remedy: "Use another token; 'sluice token create' makes one.")
                failAll(error, into: &actions)
            case .stop:
                let error = SluiceError(
                    .failed, code: reason, "The broker closed the session: \(shown).",
                    remedy: "Trying again can't help; the broker's log says more.")
                failAll(error, into: &actions)
            }
        }
    }

    /// The connection is over, and with an error that trying again can't mend the subscriptions,
    /// too.
    private mutating func failed(
        _ error: SluiceError, now: ContinuousClock.Instant,
        jitter: inout some RandomNumberGenerator, into actions: inout [Action]
    ) {
        guard hasConnected, let asked = error.retryAfter else {
            return failAll(error, into: &actions)
        }
        lost(error.message, asked: asked, now: now, jitter: &jitter, into: &actions)
    }

    private mutating func lost(
        _ reason: String, asked: Duration, now: ContinuousClock.Instant,
        jitter: inout some RandomNumberGenerator, into actions: inout [Action]
    ) {
        let lasted = connection.began.map { now - $0 }
        let wait = backoff.wait(lasted: lasted, asked: asked, jitter: &jitter)
        let shown = reason.hasSuffix(".") ? String(reason.dropLast()) : reason
        connection = Connection()
        phase = .waiting(reason: shown, until: now + wait)
        actions.append(.leave)
        let notice = SubscriptionNotice.disconnected(reason: shown, retryIn: wait)
        for id in members.keys.sorted() {
            members[id]?.stand = .away
            actions.append(.deliver(.notice(notice, message: nil), to: id))
        }
        actions.append(.wake(after: wait))
    }
}

// MARK: What the broker says

extension SharedSession {
    /// Reads the broker's next message.
    mutating func received(
        _ text: [UInt8], now: ContinuousClock.Instant,
        jitter: inout some RandomNumberGenerator, into actions: inout [Action]
    ) {
        guard case .open = phase else { return }
        let message: BrokerMessage?
        do {
            message = try BrokerMessage.decode(text)
        } catch {
            let error = SluiceError(
                .failed, code: "invalid_answer",
                "The broker's message can't be read: \(error.message)",
                remedy: "Check that client and broker fit together; report it with both versions.")
            return failed(error, now: now, jitter: &jitter, into: &actions)
        }
        // A type of a later version (doc:CommonRules).
        guard let message else { return }
        switch message {
        case .event(let event): pass(message, text, to: route(event.topic), into: &actions)
        case .gap(let gap): pass(message, text, to: route(gap.topic), into: &actions)
        case .reset(let reset): pass(message, text, to: route(reset.topic), into: &actions)
        case .cursor(let cursors): pass(cursors, text, into: &actions)
        case .live(let id), .lagging(let id, _): pass(message, text, to: id, into: &actions)
        case .subscribed(let subscribed):
            // One that has left meanwhile is answered, too.
            guard case .asked = members[subscribed.id]?.stand else { return }
            members[subscribed.id]?.stand = .standing
            pass(message, text, to: subscribed.id, into: &actions)
        case .unsubscribed(let id, _): unsubscribed(id, message, text, now, into: &actions)
        case .error(let error): refused(error, now, jitter: &jitter, into: &actions)
        case .welcome(let welcome):
            connection.welcome = welcome
            connection.lifetime = SessionLifetime(welcome, now: now)
            actions.append(.watch(silenceMax: welcome.heartbeat * 2))
            expires(welcome.expires, now: now, into: &actions)
            for id in members.keys.sorted() {
                members[id]?.stand = .left
                goOn(id, now: now, into: &actions)
            }
        case .authenticated(let time, _): expires(time, now: now, into: &actions)
        case .closing(let closing): connection.reconnectAfter = closing.reconnectAfter
        case .published, .updated, .pong, .heartbeat: break
        }
    }

    private mutating func route(_ topic: TopicName) -> Int64? { routes.subscription(to: topic) }

    /// Gives a message to the subscription that it is about.
    private mutating func pass(
        _ message: BrokerMessage, _ text: [UInt8], to id: Int64?, into actions: inout [Action]
    ) {
        guard let id else { return }
        var steps: [SubscriptionProgress.Step] = []
        do throws(SluiceError) {
            // One access, in place: reading a part of a member copies all of it.
            try members[id]?.received(message, text, into: &steps)
        } catch {
            return fail(id, error, into: &actions)
        }
        perform(steps, of: id, into: &actions)
    }

    /// Tells each subscription the cursors of its own topics.
    private mutating func pass(
        _ cursors: [TopicName: Cursor], _ text: [UInt8], into actions: inout [Action]
    ) {
        var parts: [Int64: [TopicName: Cursor]] = [:]
        for (topic, cursor) in cursors {
            if let id = route(topic) { parts[id, default: [:]][topic] = cursor }
        }
        for (id, part) in parts.sorted(by: { $0.key < $1.key }) {
            let message = BrokerMessage.cursor(part)
            let isAll = part.count == cursors.count
            pass(message, isAll ? text : message.encode(), to: id, into: &actions)
        }
    }

    private mutating func unsubscribed(
        _ id: Int64, _ message: BrokerMessage, _ text: [UInt8], _ now: ContinuousClock.Instant,
        into actions: inout [Action]
    ) {
        switch members[id]?.stand {
        case .leaving:
            members[id]?.stand = .left
            goOn(id, now: now, into: &actions)
        case .standing:
            pass(message, text, to: id, into: &actions)
            _ = endIfEmpty(into: &actions)
        case .away, .asked, .left, nil: break
        }
    }

    /// Asks for a subscription again that was given up, if enough of it was taken.
    private mutating func goOn(
        _ id: Int64, now: ContinuousClock.Instant, into actions: inout [Action]
    ) {
        guard members[id]?.backlog.isLow == true else { return }
        subscribe(id, now: now, into: &actions)
    }

    private mutating func refused(
        _ error: ErrorMessage, _ now: ContinuousClock.Instant,
        jitter: inout some RandomNumberGenerator, into actions: inout [Action]
    ) {
        if error.to == "auth" {
            // A token that is not good ends the session; one that can't be checked is said again.
            if let wait = error.retryAfter {
                actions.append(.renewToken(after: max(wait, .seconds(1))))
            }
            return
        }
        let failure = SluiceError(
            SluiceError.kind(of: error.code), code: error.code, error.message,
            remedy: error.remedy, retryAfter: error.retryAfter, byte: error.at?.byte)
        if failure.retryAfter != nil {
            return failed(failure, now: now, jitter: &jitter, into: &actions)
        }
        guard let id = error.id else { return failAll(failure, into: &actions) }
        guard members[id] != nil else { return }  // It has left.
        var steps: [SubscriptionProgress.Step] = []
        if members[id]?.progress.goesWithoutCredit(error, into: &steps) == true {
            return perform(steps, of: id, into: &actions)
        }
        if Self.isAboutOthers(error), connection.asked.count > 1 {
            members[id]?.stand = .away
            return actions.append(.move(id))
        }
        fail(id, failure, into: &actions)
        _ = endIfEmpty(into: &actions)
    }

    /// Alone, the subscription may be had.
    private static func isAboutOthers(_ error: ErrorMessage) -> Bool {
        error.code == ErrorCode.overlap.rawValue
            || error.code == ErrorCode.subscriptionLimit.rawValue
    }
}

// MARK: Tokens end

extension SharedSession {
    /// There is another token: it is to extend the session.
    mutating func tokenCame(_ token: String, into actions: inout [Action]) {
        guard case .open = phase, connection.welcome != nil else { return }
        actions.append(.send(ClientMessage.auth(token: token).encode()))
    }

    /// There was no other token; it is asked for again as long as there is time.
    mutating func noTokenCame(now: ContinuousClock.Instant, into actions: inout [Action]) {
        guard case .open = phase, let wait = connection.lifetime?.retry(now: now) else { return }
        actions.append(.renewToken(after: wait))
    }

    private mutating func expires(
        _ time: Timestamp?, now: ContinuousClock.Instant, into actions: inout [Action]
    ) {
        guard canRenew, let wait = connection.lifetime?.renewal(before: time, now: now) else {
            return
        }
        actions.append(.renewToken(after: wait))
    }
}
