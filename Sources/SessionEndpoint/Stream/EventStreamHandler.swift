internal import AccessControl
internal import Delivery
internal import EventModel
internal import FanOut
internal import SessionProtocol

/// The single-topic stream (doc:HTTP): its start was fixed before the upgrade.
final class EventStreamHandler: MessageHandler {
    let tokenID: String?
    let messageBytesMax: Int
    private let view: StreamView
    /// The client gets CloudEvents, and nothing else is said.
    private let isCloudEvents: Bool
    private var conversation: StreamConversation
    /// `nil` once the connection is over.
    private var connection: SubscriberConnection?

    /// `identity` is who asked for it, and when that ends; `nil` without access control.
    init(
        _ connection: SubscriberConnection, query: StreamQuery, terms: SessionTerms,
        identity: Identity?, isCloudEvents: Bool = false
    ) {
        self.isCloudEvents = isCloudEvents
        self.connection = connection
        view = query.view
        tokenID = identity?.tokenID
        messageBytesMax = terms.limits.messageBytesMax
        conversation = StreamConversation(
            terms: terms, credit: query.options.credit, expires: identity?.expires, now: .now)
    }

    func received(text: [UInt8]) {
        // A publish would have no answer here: whether it is in the log could not be told.
        if isCloudEvents { return end(.protocolMisuse) }
        decide { $0.messageReceived(text, now: $1, into: &$2) }
    }

    func receivedBinary() {
        if isCloudEvents { return end(.protocolMisuse) }
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

    func closed() {
        conversation.connectionClosed()
        connection = nil
    }

    private func decide(
        _ input: (inout StreamConversation, Moment, inout [StreamConversation.Action]) -> Void
    ) {
        var actions: [StreamConversation.Action] = []
        input(&conversation, .now, &actions)
        for action in actions {
            switch action {
            // Among bare data nobody could tell it from an event.
            case .send(let message):
                if view == .message, !isCloudEvents { connection?.send([message]) }
            case .credit(let events): connection?.outlet.grant(events, to: nil)
            case .close(let code, let reason): connection?.close(code.rawValue, reason: reason)
            }
        }
    }
}

@available(*, unavailable) extension EventStreamHandler: Sendable {}
