internal import AccessControl
internal import Delivery
internal import EventModel
internal import SessionProtocol
internal import Transport

/// A stream as the endless body of an answer, as lines or server-sent events (doc:HTTP).
///
/// Confined to its loop.
final class FollowConnection {
    var place = 0
    let tokenID: String?
    private let stream: StreamConnection
    private let outlet: Outlet
    private let format: StreamFormat
    private var conversation: StreamConversation
    private var stuck: StuckWatch

    /// `identity` is who asked for it, and when that ends; `nil` without access control.
    init(
        _ stream: StreamConnection, start: StreamStart, format: StreamFormat, query: StreamQuery,
        terms: SessionTerms, identity: Identity?
    ) {
        self.stream = stream
        self.format = format
        tokenID = identity?.tokenID
        outlet = start.takeOutlet()
        let loop = outlet.loop
        conversation = StreamConversation(
            terms: terms, credit: query.options.credit, expires: identity?.expires, now: .now)
        stuck = StuckWatch(
            timeout: loop.limits.stuckTimeout, restInterval: loop.limits.heartbeatInterval,
            now: .now)
        outlet.open(stream, for: self)
        loop.add(self)
    }

    private func decide(
        _ input: (inout StreamConversation, Moment, inout [StreamConversation.Action]) -> Void
    ) {
        var actions: [StreamConversation.Action] = []
        input(&conversation, .now, &actions)
        for action in actions {
            switch action {
            case .send(let message): send(format.encode(message))
            case .credit(let events): outlet.grant(events, to: nil)
            case .close:
                outlet.endSubscriptions()
                outlet.flush()
                outlet.finish()
            }
        }
    }

    private func send(_ bytes: [UInt8]) { if !bytes.isEmpty { outlet.send(bytes) } }
}

@available(*, unavailable) extension FollowConnection: Sendable {}

extension FollowConnection: DeliveryConnection {
    var backlogBytes: Int { outlet.backlogBytes }

    func tick(now: ContinuousClock.Instant) {
        outlet.tick(now: now)
        if outlet.takeHasSent() { conversation.sent(now: now) }
        if let deadline = conversation.deadline, now >= deadline {
            decide { $0.tick(now: $1, into: &$2) }
        }
        let isStuck = stuck.isStuck(now: now, isWaiting: stream.isBlocked || backlogBytes > 0) {
            stream.progress.map { ($0.acknowledgedBytes, $0.unsentBytes > 0) }
        }
        if isStuck { stream.abort() }
    }

    func drain(reconnectAfter: Duration) {
        decide { $0.drain(reconnectAfter: reconnectAfter, now: $1, into: &$2) }
    }

    func end(_ code: CloseCode) { decide { $0.end(code, now: $1, into: &$2) } }
}

extension FollowConnection: StreamHandler {
    /// What a client sends behind such a request means nothing; the connection ends with the
    /// answer.
    func received(_ bytes: UnsafeRawBufferPointer) {}

    func writable() { outlet.writable() }

    func inputEnded() { stream.close() }

    func closed() {
        conversation.connectionClosed()
        outlet.closed()
        outlet.loop.remove(self)
    }
}
