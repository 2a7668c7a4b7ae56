internal import EventModel
internal import SessionProtocol

/// What a subscription has got so far and says next, over all its connections.
///
/// Pure.
struct SubscriptionProgress {
    /// What a message of the broker leads to.
    enum Step: Equatable {
        /// For the subscriber.
        case item(SubscriptionItem)
        /// To the broker.
        case send([UInt8])
        /// The broker promised to say something at least this often.
        case heartbeat(Duration)
        /// The subscription stands in this session, with this rate.
        case stands(maxRate: Int?)
    }

    private static let id: Int64 = 1

    private let request: SubscribeRequest
    /// Of the next subscribe.
    var maxRate: Int?
    private var saidRate: Int?
    private var window: CreditWindow
    private var welcome: BrokerMessage.Welcome?
    /// Where the subscriber stands; there from the first welcome on.
    private var position: SubscriberPosition?
    private var hasSubscribed = false
    /// What the broker said about coming back; of the present connection.
    private(set) var reconnectAfter: Duration?

    init(
        patterns: [TopicPattern], start: StartPosition, cursors: [TopicName: Cursor] = [:],
        options: SubscriptionOptions = SubscriptionOptions(), filter: String? = nil
    ) {
        request = SubscribeRequest(
            id: Self.id, patterns: patterns, from: start, cursors: cursors, options: options,
            filter: filter)
        maxRate = options.maxRate
        window = CreditWindow(size: options.credit)
    }

    /// A new connection begins.
    mutating func connected() { reconnectAfter = nil }

    /// Events were taken.
    ///
    /// - Returns: What to say to the broker about it.
    mutating func took(_ events: Int) -> [UInt8]? {
        window.took(events).map { ClientMessage.credit(id: Self.id, events: $0).encode() }
    }

    /// Changes the rate of a subscription that stands.
    static func update(maxRate: Int?) -> ClientMessage {
        .update(id: id, SubscriptionChanges(maxRate: .some(maxRate)))
    }

    /// Reads the broker's next message.
    ///
    /// - Throws: Why the subscription, or with `retryAfter` this connection of it, is over.
    mutating func received(_ text: [UInt8], into steps: inout [Step]) throws(SluiceError) {
        let message: BrokerMessage?
        do {
            message = try BrokerMessage.decode(text)
        } catch {
            throw SluiceError(
                .failed, code: "invalid_answer",
                "The broker's message can't be read: \(error.message)",
                remedy: "Check that client and broker fit together; report it with both versions.")
        }
        // A type of a later version (doc:CommonRules).
        guard let message else { return }
        position?.received(message)
        try took(message, text, into: &steps)
    }

    private mutating func took(
        _ message: BrokerMessage, _ text: [UInt8], into steps: inout [Step]
    ) throws(SluiceError) {
        switch message {
        case .welcome(let welcome):
            self.welcome = welcome
            position = position ?? SubscriberPosition(request, began: welcome.time)
            steps.append(.heartbeat(welcome.heartbeat))
            subscribe(into: &steps)
        case .subscribed:
            let notice = SubscriptionNotice.subscribed(
                session: welcome?.session ?? "", isResumed: hasSubscribed)
            hasSubscribed = true
            steps.append(.stands(maxRate: saidRate))
            steps.append(.item(.notice(notice, message: text)))
        case .event(let message):
            steps.append(.item(.event(ReceivedEvent(message, text: text))))
        case .live: steps.append(.item(.notice(.live, message: text)))
        case .lagging(_, let behind):
            steps.append(.item(.notice(.lagging(behind: behind), message: text)))
        case .gap(let gap):
            let notice = SubscriptionNotice.gap(
                topic: gap.topic.text, from: gap.from, to: gap.to, reason: gap.reason)
            steps.append(.item(.notice(notice, message: text)))
        case .reset(let reset):
            let notice = SubscriptionNotice.reset(topic: reset.topic.text, reason: reset.reason)
            steps.append(.item(.notice(notice, message: text)))
        case .cursor(let cursors):
            let told = cursors.map { ($0.key.text, $0.value.description) }
            let notice = SubscriptionNotice.progress(
                cursors: Dictionary(uniqueKeysWithValues: told))
            steps.append(.item(.notice(notice, message: text)))
        case .closing(let closing): reconnectAfter = closing.reconnectAfter
        case .error(let error) where isAboutCredit(error) && window.isRefused():
            subscribe(into: &steps)
        case .error(let error):
            throw SluiceError(
                SluiceError.kind(of: error.code), code: error.code, error.message,
                remedy: error.remedy, retryAfter: error.retryAfter, byte: error.at?.byte)
        case .unsubscribed(_, let notice):
            throw SluiceError(
                .refused, code: notice?.code ?? "unsubscribed",
                notice?.message ?? "The broker ended the subscription.",
                remedy: notice?.remedy ?? "Subscribe again.")
        case .authenticated, .published, .updated, .pong, .heartbeat: break
        }
    }

    /// Says what is followed, and from where.
    private mutating func subscribe(into steps: inout [Step]) {
        guard let welcome, let position else { return }
        var first = request
        first.options.maxRate = maxRate
        first.options.credit = window.begin()
        saidRate = maxRate
        // Before the first answer there is nothing to continue: the first start still holds.
        let messages =
            hasSubscribed
            ? position.resumption(in: welcome, options: first.options)
            : first.messages(
                cursorsMax: welcome.topicsPerSubscribe, bytesMax: welcome.messageBytes)
        for message in messages { steps.append(.send(message.encode())) }
    }

    private func isAboutCredit(_ error: ErrorMessage) -> Bool {
        error.to == "subscribe" && error.code == ErrorCode.invalidRequest.rawValue
            && error.at?.field == "credit"
    }
}

extension ReceivedEvent {
    fileprivate init(_ message: EventMessage, text: [UInt8]) {
        let content = message.event.content
        self.init(
            topic: message.topic.text, offset: message.event.offset,
            cursor: message.cursor.description, time: message.event.time.description,
            key: content.key, eventID: content.eventID, attributes: content.attributes,
            data: content.data, message: text)
    }
}
