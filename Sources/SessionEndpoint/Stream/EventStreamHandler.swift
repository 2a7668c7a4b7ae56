internal import AccessControl
internal import Delivery
internal import EventModel
internal import FanOut
internal import SessionProtocol

/// The single-topic stream (doc:HTTP): its start was fixed before the upgrade.
final class EventStreamHandler: MessageHandler {
    let tokenID: String?
    let messageBytesMax: Int
    private var conversation: StreamConversation
    /// `nil` once the connection is over.
    private var connection: SubscriberConnection?

    /// `identity` is who asked for it, and when that ends; `nil` without access control.
    init(_ connection: SubscriberConnection, terms: SessionTerms, identity: Identity?) {
        self.connection = connection
        tokenID = identity?.tokenID
        messageBytesMax = terms.limits.messageBytesMax
        conversation = StreamConversation(terms: terms, expires: identity?.expires, now: .now)
    }

    /// Begins delivery.
    ///
    /// `start` is what the question came to before the upgrade; `nil` if the topic did not exist
    /// then.
    func opened(
        topic: TopicName, _ question: StartOperation.Question, start: ReaderStart?,
        log: any EventLog
    ) {
        guard let connection,
            let subscription = connection.outlet.makeSubscription(id: nil, of: question)
        else { return }
        let loop = connection.loop
        loop.shard.register(subscription)
        if let start, loop.shard.feed(of: topic) === start.feed {
            return loop.shard.join(subscription, [start], gone: [])
        }
        // It may have come into being between the start and the registration: then nothing of it
        // was before the start.
        var again = question
        if case .after = question.from {} else { again.from = .offset(1) }
        let operation = StartOperation(again, loop: loop, log: log) { [self, again] result in
            guard connection.outlet.has(subscription) else { return }
            switch result {
            case .success(let starts):
                loop.shard.join(subscription, starts, gone: again.gone(beside: starts))
            // Nobody would tell of it again; the client comes back and has its start fixed anew.
            case .failure: decide { $0.end(.internal, now: $1, into: &$2) }
            }
        }
        operation.run(now: .now)
    }

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
            case .send(let message): connection?.send(message)
            case .close(let code, let reason): connection?.close(code.rawValue, reason: reason)
            }
        }
    }
}

@available(*, unavailable) extension EventStreamHandler: Sendable {}
