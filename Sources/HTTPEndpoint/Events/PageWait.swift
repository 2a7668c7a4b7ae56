internal import Delivery
internal import EventModel
internal import FanOut
internal import NIOCore
internal import SessionProtocol
internal import Transport

/// A request for a page that waits for its topic's next events (doc:HTTP, "Waiting for events").
///
/// It costs a place among the loop's connections and a timer, and nothing in the database but for
/// a topic that the node does not follow yet. Confined to its loop, which keeps it until it ends.
final class PageWait {
    enum Outcome: Sendable {
        case found(AwaitedEvents.Outcome)
        /// The time is over, the client has left or the node drains.
        case over((page: EventPage, seen: ClosedRange<Offset>)?)
        case failed(BrokerError)
    }

    var place = 0
    let tokenID: String?
    private let topic: TopicName
    private let loop: LoopDelivery
    private var events: AwaitedEvents
    private let known: TopicPosition?
    private let completion: (Outcome) -> Void
    private var timer: Scheduled<Void>?
    private var isOver = false

    /// Waits on the request's event loop.
    ///
    /// `known`: Where the node was when the log was asked last.
    static func outcome(
        of events: AwaitedEvents, in topic: TopicName, known: TopicPosition?, for time: Duration,
        _ request: IncomingRequest, hub: DeliveryHub
    ) async -> Outcome {
        let connection = request.connection
        return await withCheckedContinuation { continuation in
            // Always in a later turn: the topic's news and this come in one order.
            connection.eventLoop.execute {
                let wait = PageWait(
                    events, topic, known, on: hub.loop(connection.loopIndex),
                    tokenID: request.identity?.tokenID
                ) { continuation.resume(returning: $0) }
                wait.begin(for: time)
                request.whenClientLeaves { [weak wait] in wait?.end() }
            }
        }
    }

    private init(
        _ events: AwaitedEvents, _ topic: TopicName, _ known: TopicPosition?,
        on loop: LoopDelivery, tokenID: String?, completion: @escaping (Outcome) -> Void
    ) {
        self.events = events
        self.topic = topic
        self.known = known
        self.loop = loop
        self.tokenID = tokenID
        self.completion = completion
    }

    private func begin(for time: Duration) {
        loop.add(self)
        loop.watches.add(self, of: topic)
        timer = loop.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(time)) { self.end() }
        guard !loop.shard.follows(topic) else { return follows() }
        loop.follow([topic]) { [self] result in
            guard !isOver else { return }
            switch result {
            case .success: follows()
            case .failure(let error): end(.failed(error))
            }
        }
    }

    /// Whatever happens to the topic from now on is told.
    private func follows() {
        let position = loop.shard.feed(of: topic)?.position
        if let outcome = events.began(at: position, known: known) { end(.found(outcome)) }
    }

    private func end() { end(.over(events.over)) }

    private func end(_ outcome: Outcome) {
        guard !isOver else { return }
        isOver = true
        timer?.cancel()
        timer = nil
        loop.watches.remove(self, of: topic)
        loop.remove(self)
        completion(outcome)
    }
}

@available(*, unavailable) extension PageWait: Sendable {}

extension PageWait: TopicWatcher {
    func happened(_ news: TopicNews) {
        guard !isOver, let outcome = events.take(news) else { return }
        end(.found(outcome))
    }
}

extension PageWait: DeliveryConnection {
    var backlogBytes: Int { 0 }

    /// The topic stays followed for as long as its feed is asked for.
    func tick(now: ContinuousClock.Instant) { _ = loop.shard.feed(of: topic) }

    func drain(reconnectAfter: Duration) { end() }

    func end(_ code: CloseCode) {
        end(.failed(BrokerError(.unauthorized, "The token does not hold any more: \(code.name).")))
    }
}
