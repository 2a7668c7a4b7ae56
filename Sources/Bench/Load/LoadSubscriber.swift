internal import EventModel
internal import NIOCore
internal import SessionProtocol

/// What a subscriber of a benchmark gets.
struct LoadStart: Sendable {
    let event: BenchEvent
    /// Which of the scenario's topics it is.
    var topic = 0
    /// Where it begins: behind this, or else at the head.
    var cursor: Cursor?
    /// It begins at the oldest event.
    var isFromEarliest = false
    var filter: String?
    /// What the filter lets through.
    var share = EventShare.all
}

/// One subscriber of a benchmark: checks what it gets, and measures how long it was under way.
///
/// Confined to its event loop.
final class LoadSubscriber {
    private let session: LoadSession
    let start: LoadStart
    private(set) var check: DeliveryCheck
    /// Why the session is over, if it is.
    private(set) var end: String?
    /// Of each event from the moment it was to be sent; `nil`: not measured.
    var latencies: LoopLatencies?
    /// Is told what has come.
    var arrivals: TopicArrivals?
    private var subscribed: EventLoopPromise<Void>?
    /// Waits for an offset.
    private var awaited: (offset: Offset, promise: EventLoopPromise<Void>)?

    /// How many TLS records have come.
    var records: Int { session.records }

    init(_ session: LoadSession, at start: LoadStart) {
        self.session = session
        self.start = start
        check = DeliveryCheck(behind: start.cursor?.offset ?? 0, share: start.share)
        session.messageReceived = { self.received($0) }
        session.ended = { self.ended($0) }
    }

    /// - Returns: Succeeds at `subscribed`.
    func subscribe(on loop: any EventLoop) -> EventLoopFuture<Void> {
        let topic = start.event.topic
        let promise = loop.makePromise(of: Void.self)
        subscribed = promise
        session.send(
            .subscribe(
                SubscribeRequest(
                    id: 1, patterns: [TopicPattern(topic)],
                    from: start.isFromEarliest ? .earliest : .latest,
                    cursors: start.cursor.map { [topic: $0] } ?? [:], filter: start.filter)))
        return promise.futureResult
    }

    /// Succeeds when everything up to the offset was delivered, or told.
    func position(_ offset: Offset, on loop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = loop.makePromise(of: Void.self)
        awaited = (offset, promise)
        tellAwaited()
        return promise.futureResult
    }

    func setReading(_ isReading: Bool) { session.setReading(isReading) }

    func leave() {
        session.leave()
        ended("left")
    }

    private func received(_ message: UnsafeRawBufferPointer) {
        if let (offset, time) = start.event.read(message) {
            check.event(offset)
            latencies?.record(Int64(session.readTime) - Int64(time))
            arrivals?.arrived(offset)
        } else if let message = try? BrokerMessage.decode(Array(message)) {
            received(message)
        }
        tellAwaited()
    }

    private func received(_ message: BrokerMessage) {
        switch message {
        case .subscribed(let message):
            if let cursor = message.topics.first?.cursor, check.tally == DeliveryCheck.Tally() {
                check = DeliveryCheck(behind: cursor.offset, share: start.share)
            }
            subscribed?.succeed()
            subscribed = nil
        case .gap(let gap):
            check.gap(gap.from, gap.to)
            arrivals?.told(gap.from, gap.to)
        case .error(let error): ended("\(error.code): \(error.message)")
        default: break
        }
    }

    private func ended(_ reason: String) {
        guard end == nil else { return }
        end = reason
        if reason != "left" { check.closed() }
        subscribed?.fail(BenchError("A subscriber's session ended: \(reason)"))
        subscribed = nil
        tellAwaited()
    }

    private func tellAwaited() {
        guard let (offset, promise) = awaited, check.has(offset) || end != nil else { return }
        awaited = nil
        promise.succeed()
    }
}

@available(*, unavailable) extension LoadSubscriber: Sendable {}

/// What the subscribers of one loop measure together; confined to it.
final class LoopLatencies {
    private var histogram = LatencyHistogram()
    private var arrivals: [Int: TopicArrivals] = [:]

    /// Records how long an event was under way, in ns.
    func record(_ nanoseconds: Int64) { histogram.record(nanoseconds) }

    /// What was recorded since the last time.
    func take() -> LatencyHistogram {
        defer { histogram = LatencyHistogram() }
        return histogram
    }

    /// What is through of a topic, on this loop.
    func arrivals(of topic: Int) -> TopicArrivals {
        if let known = arrivals[topic] { return known }
        let new = TopicArrivals()
        arrivals[topic] = new
        return new
    }

    /// Has every topic of this loop tell what is through.
    ///
    /// - Returns: These topics.
    func tell(_ through: @escaping (Int, Offset) -> Void) -> [Int] {
        for (topic, arrivals) in arrivals { arrivals.through = { through(topic, $0) } }
        return Array(arrivals.keys)
    }
}

@available(*, unavailable) extension LoopLatencies: Sendable {}
