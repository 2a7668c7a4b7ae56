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
    }

    private let request: SubscribeRequest
    /// Of the next subscribe.
    var maxRate: Int?
    private var window: CreditWindow
    private var welcome: BrokerMessage.Welcome?
    /// Where the subscriber stands; there from the first welcome on.
    private var position: SubscriberPosition?
    private var hasSubscribed = false
    /// Events that came and were not taken.
    private var waiting: Int64 = 0

    init(
        id: Int64 = 1, patterns: [TopicPattern], start: StartPosition,
        cursors: [TopicName: Cursor] = [:], options: SubscriptionOptions = SubscriptionOptions(),
        filter: String? = nil
    ) {
        request = SubscribeRequest(
            id: id, patterns: patterns, from: start, cursors: cursors, options: options,
            filter: filter)
        maxRate = options.maxRate
        window = CreditWindow(size: options.credit)
    }

    var id: Int64 { request.id }
    var patterns: [TopicPattern] { request.patterns }

    /// Events after which it is time to tell that they are taken.
    var takenStep: Int { Int(window.takenStep) }

    /// Events were taken; the broker may send as many more, once they are worth a message.
    mutating func took(_ events: Int, into steps: inout [Step]) {
        waiting -= Int64(events)
        guard let credit = window.took(events) else { return }
        steps.append(.send(ClientMessage.credit(id: id, events: credit).encode()))
    }

    /// Reads a message that is about the subscription.
    ///
    /// - Throws: Why the subscription is over.
    mutating func received(
        _ message: BrokerMessage, _ text: [UInt8], into steps: inout [Step]
    ) throws(SluiceError) {
        position?.received(message)
        switch message {
        case .event(let message):
            waiting += 1
            window.received(text.count)
            steps.append(.item(.event(ReceivedEvent(message, text: text))))
        case .subscribed:
            let notice = SubscriptionNotice.subscribed(
                session: welcome?.session ?? "", isResumed: hasSubscribed)
            hasSubscribed = true
            steps.append(.item(.notice(notice, message: text)))
        case .unsubscribed(_, let notice):
            throw SluiceError(
                .refused, code: notice?.code ?? "unsubscribed",
                notice?.message ?? "The broker ended the subscription.",
                remedy: notice?.remedy ?? "Subscribe again.")
        case .live, .lagging, .gap, .reset, .cursor, .welcome, .authenticated, .published, .updated,
            .error, .pong, .heartbeat, .closing:
            if let notice = SubscriptionNotice(message) {
                steps.append(.item(.notice(notice, message: text)))
            }
        }
    }

    /// The broker refused a subscribe because of its credit, and can do without.
    ///
    /// - Returns: Whether it was that; then it is said again.
    mutating func goesWithoutCredit(
        _ error: ErrorMessage, into steps: inout [Step]
    ) -> Bool {
        let isAboutCredit =
            error.to == "subscribe" && error.code == ErrorCode.invalidRequest.rawValue
            && error.at?.field == "credit"
        guard isAboutCredit, let welcome, window.isRefused() else { return false }
        subscribe(in: welcome, into: &steps)
        return true
    }

    /// Says what is followed, and from where, in a session that began with this welcome.
    mutating func subscribe(in welcome: BrokerMessage.Welcome, into steps: inout [Step]) {
        self.welcome = welcome
        let position = position ?? SubscriberPosition(request, began: welcome.time)
        self.position = position
        var first = request
        first.options.maxRate = maxRate
        first.options.credit = window.begin(waiting: waiting)
        // Before the first answer there is nothing to continue: the first start still holds.
        let messages =
            hasSubscribed
            ? position.resumption(in: welcome, options: first.options)
            : first.messages(
                cursorsMax: welcome.topicsPerSubscribe, bytesMax: welcome.messageBytes)
        for message in messages { steps.append(.send(message.encode())) }
    }
}

extension SubscriptionNotice {
    /// What a message tells besides events and answers.
    fileprivate init?(_ message: BrokerMessage) {
        switch message {
        case .live: self = .live
        case .lagging(_, let behind): self = .lagging(behind: behind)
        case .gap(let gap):
            self = .gap(topic: gap.topic.text, from: gap.from, to: gap.to, reason: gap.reason)
        case .reset(let reset): self = .reset(topic: reset.topic.text, reason: reset.reason)
        case .cursor(let cursors):
            let told = cursors.map { ($0.key.text, $0.value.description) }
            self = .progress(cursors: Dictionary(uniqueKeysWithValues: told))
        case .welcome, .authenticated, .subscribed, .event, .published, .unsubscribed, .updated,
            .error, .pong, .heartbeat, .closing:
            return nil
        }
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
