internal import EventModel
internal import NIOCore
internal import SessionProtocol
internal import SluiceClient

/// One subscriber of a benchmark: checks what it gets, and measures how long it was under way.
///
/// Confined to its event loop.
final class LoadSubscriber {
    private let session: LoadSession
    private let start: LoadStart
    private(set) var check: DeliveryCheck
    /// Why the session is over, if it is.
    private(set) var end: String?
    /// Of each event from the moment it was to be sent; `nil`: not measured.
    var latencies: LoopLatencies?
    private var subscribed: EventLoopPromise<Void>?
    /// Waits for an offset.
    private var awaited: (offset: Offset, promise: EventLoopPromise<Void>)?

    init(_ session: LoadSession, at start: LoadStart) {
        self.session = session
        self.start = start
        check = DeliveryCheck(behind: start.cursor?.offset ?? 0)
        session.received = { [unowned self] in received($0) }
        session.ended = { [unowned self] in ended($0) }
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
                    cursors: start.cursor.map { [topic: $0] } ?? [:])))
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

    private func received(_ message: [UInt8]) {
        if let (offset, time) = start.event.read(message) {
            check.event(offset)
            latencies?.record(since: time)
        } else if let message = try? BrokerMessage.decode(message) {
            received(message)
        }
        tellAwaited()
    }

    private func received(_ message: BrokerMessage) {
        switch message {
        case .subscribed(let message):
            if let cursor = message.topics.first?.cursor, check.tally == DeliveryCheck.Tally() {
                check = DeliveryCheck(behind: cursor.offset)
            }
            subscribed?.succeed()
            subscribed = nil
        case .gap(let gap): check.gap(gap.from, gap.to)
        case .error(let error): ended("\(error.code): \(error.message)")
        default: break
        }
    }

    private func ended(_ reason: String) {
        guard end == nil else { return }
        end = reason
        if reason != "left" { check.closed() }
        subscribed?.fail(LoadSession.ClosedEarly(reason: reason))
        subscribed = nil
        tellAwaited()
    }

    private func tellAwaited() {
        guard let (offset, promise) = awaited, check.position >= offset || end != nil else {
            return
        }
        awaited = nil
        promise.succeed()
    }
}

@available(*, unavailable) extension LoadSubscriber: Sendable {}

/// What the subscribers of one loop measure together; confined to it.
final class LoopLatencies {
    private var histogram = LatencyHistogram()

    func record(since time: UInt64) {
        histogram.record(Int64(NIODeadline.now().uptimeNanoseconds) - Int64(time))
    }

    /// What was recorded since the last time.
    func take() -> LatencyHistogram {
        defer { histogram = LatencyHistogram() }
        return histogram
    }
}

@available(*, unavailable) extension LoopLatencies: Sendable {}
