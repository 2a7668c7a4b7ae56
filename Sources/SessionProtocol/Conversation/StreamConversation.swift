package import EventModel

/// The broker's side of a single-topic stream (doc:HTTP): it delivers, the client may ping and
/// grant credit.
package struct StreamConversation: Sendable {
    package enum Action: Hashable, Sendable {
        case send(BrokerMessage)
        /// The client takes this many more events.
        case credit(Int64)
        case close(CloseCode, reason: String)
    }

    private let terms: SessionTerms
    private var lastSent: ContinuousClock.Instant
    private let expiresAt: ContinuousClock.Instant?
    private var faults = FaultCounter()
    private var credit: GrantedCredit
    private var isOpen = true

    /// A stream that has just begun, with the credit of its query; it ends when the client's
    /// credentials do, at `expires`.
    package init(terms: SessionTerms, credit: Int64? = nil, expires: Timestamp?, now: Moment) {
        self.terms = terms
        self.credit = GrantedCredit(credit)
        expiresAt = expires.map { now.instant(of: $0) }
        lastSent = now.instant
    }

    /// When `tick` has something to do; `nil` once closed.
    package var deadline: ContinuousClock.Instant? {
        guard isOpen else { return nil }
        let heartbeat = lastSent + terms.limits.heartbeatInterval
        return expiresAt.map { min($0, heartbeat) } ?? heartbeat
    }

    /// A text message came.
    package mutating func messageReceived(
        _ bytes: [UInt8], now: Moment, into actions: inout [Action]
    ) {
        guard isOpen else { return }  // It was on its way when the stream ended.
        do throws(ClientMessageRefusal) {
            let message = try ClientMessage.decode(bytes, limits: terms.limits, needsID: false)
            switch message {
            case .ping(let id): send(.pong(id: id, time: now.time), now: now, into: &actions)
            case .credit(let id, let events):
                do throws(BrokerError) { try credit.add(events) } catch {
                    throw ClientMessageRefusal(error, id: id, to: message.type)
                }
                actions.append(.credit(events))
            case .auth, .subscribe, .cursors, .unsubscribe, .update, .publish:
                let error = BrokerError(
                    .invalidRequest, "A stream of one topic takes 'ping' and 'credit' only.",
                    remedy: "Use the session at /v1/connect.")
                throw ClientMessageRefusal(error, id: message.id, to: message.type)
            }
        } catch {
            let message = ErrorMessage(error.error, id: error.id, to: error.to)
            send(.error(message), now: now, into: &actions)
            let areTooMany = faults.add(
                now: now.instant, faultsPerMinuteMax: terms.limits.faultsPerMinuteMax)
            if areTooMany { end(.tooManyErrors, now: now, into: &actions) }
        }
    }

    /// A binary message came; the protocol has none.
    package mutating func binaryReceived(now: Moment, into actions: inout [Action]) {
        end(.unsupportedData, now: now, into: &actions)
    }

    /// The broker is going down, or sheds streams.
    package mutating func drain(
        reconnectAfter: Duration, now: Moment, into actions: inout [Action]
    ) {
        end(.drain, reconnectAfter: reconnectAfter, now: now, into: &actions)
    }

    /// Ends the stream for a reason of the caller.
    package mutating func end(
        _ code: CloseCode, reconnectAfter: Duration? = nil, now: Moment,
        into actions: inout [Action]
    ) {
        guard isOpen else { return }
        send(.closing(.init(code, reconnectAfter: reconnectAfter)), now: now, into: &actions)
        isOpen = false
        actions.append(.close(code, reason: code.name))
    }

    /// The connection is gone or going: nothing is said any more.
    package mutating func connectionClosed() { isOpen = false }

    /// Something was written to the stream by other hands, so it needs no heartbeat.
    package mutating func sent(now: ContinuousClock.Instant) { lastSent = now }

    package mutating func tick(now: Moment, into actions: inout [Action]) {
        guard let deadline, now.instant >= deadline else { return }
        if let expiresAt, now.instant >= expiresAt {
            return end(.tokenExpired, now: now, into: &actions)
        }
        send(.heartbeat(time: now.time), now: now, into: &actions)
    }

    private mutating func send(
        _ message: BrokerMessage, now: Moment, into actions: inout [Action]
    ) {
        lastSent = now.instant
        actions.append(.send(message))
    }
}
