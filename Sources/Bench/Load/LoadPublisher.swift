internal import EventModel
internal import NIOCore
internal import SessionProtocol

/// Publishes events to topics in turn, over one session, at a pace.
///
/// Each carries the time at which it was to be sent, so that waiting counts. Confined to its event
/// loop.
final class PacedPublisher {
    private let session: LoadSession
    private let events: [BenchEvent]
    private let loop: any EventLoop
    /// How many were published to each topic.
    private var counts: [Int]
    /// On how many loops each topic has subscribers, and what is through on how many of them.
    private var arrivals: [ArrivalCount]
    private var pace = PublishPace.outstanding(1)
    private var limit: Int?
    private var start: UInt64 = 0
    private var sent = 0
    private var answered = 0
    private var through = 0
    private var isRunning = false
    private var timer: Scheduled<Void>?
    /// When each of those that are under way was to be sent; by id, modulo its count.
    private var times = [UInt64](repeating: 0, count: 2048)
    /// The offset of each topic's last event that is committed.
    private(set) var heads: [Offset]
    /// Where they were when this run began.
    private var headsBefore: [Offset]
    /// From when each was to be sent to its answer.
    private(set) var answers = LatencyHistogram()
    /// The broker's first refusal, or why the session ended.
    private(set) var failure: String?
    /// Called when everything that was sent is answered, once it does not run any more.
    private var drained: EventLoopPromise<Void>?

    init(_ session: LoadSession, events: [BenchEvent], on loop: any EventLoop) {
        self.session = session
        self.events = events
        self.loop = loop
        counts = [Int](repeating: 0, count: events.count)
        heads = [Offset](repeating: 0, count: events.count)
        headsBefore = heads
        arrivals = [ArrivalCount](repeating: ArrivalCount(), count: events.count)
        session.messageReceived = { self.received($0) }
        session.ended = { self.failed($0) }
    }

    /// A loop has subscribers of the topic, and tells when an event is through there.
    func join(topic: Int) { arrivals[topic].join() }

    /// Begins; with a `limit` it ends by itself behind so many events.
    func run(_ pace: PublishPace, limit: Int?) {
        self.pace = pace
        self.limit = limit
        start = NIODeadline.now().uptimeNanoseconds
        sent = 0
        answered = 0
        through = 0
        headsBefore = heads
        answers = LatencyHistogram()
        isRunning = true
        publish()
    }

    /// Stops, at once or behind the limit; succeeds when everything that was sent is answered.
    func stop(atOnce: Bool) -> EventLoopFuture<Void> {
        if atOnce { isRunning = false }
        let promise = loop.makePromise(of: Void.self)
        drained = promise
        tellDrained()
        return promise.futureResult
    }

    func leave() {
        isRunning = false
        timer?.cancel()
        session.leave()
    }

    /// An event of the topic is through on one of its loops.
    func through(_ offset: Offset, topic: Int) {
        guard arrivals[topic].arrived(offset), offset > headsBefore[topic] else { return }
        through += 1
        if isRunning, timer == nil { publish() }
    }

    private func publish() {
        timer = nil
        guard isRunning, failure == nil else { return }
        let now = NIODeadline.now().uptimeNanoseconds
        while sent < limit ?? .max,
            pace.isDue(sent: sent, answered: answered, through: through, elapsed: now - start)
        {
            let time = pace.due(sent).map { start + $0 } ?? now
            let topic = sent % events.count
            times[sent % times.count] = time
            session.write(events[topic].publish(id: sent, at: time, number: counts[topic]))
            counts[topic] += 1
            sent += 1
        }
        session.flush()
        if let limit, sent >= limit { isRunning = false }
        // Who waits for an answer goes on with it.
        guard isRunning, sent - answered < PublishPace.unansweredMax, let due = pace.due(sent)
        else { return }
        let next = max(start + due, now + Self.pauseMin)
        timer = loop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(next)) {
            self.publish()
        }
    }

    /// Several events that are due within it are sent together, in ns.
    private static let pauseMin: UInt64 = 50_000

    private func received(_ message: UnsafeRawBufferPointer) {
        if let (id, offset) = BenchEvent.readPublished(message) {
            answers.record(Int64(session.readTime) - Int64(times[id % times.count]))
            let topic = id % events.count
            heads[topic] = max(heads[topic], offset)
            answered += 1
            if arrivals[topic].members == 0 { through += 1 }
            if isRunning, timer == nil { publish() }
        } else if case .error(let error)? = try? BrokerMessage.decode(Array(message)) {
            answered += 1
            failed("\(error.code): \(error.message)")
        }
        tellDrained()
    }

    private func failed(_ reason: String) {
        failure = failure ?? reason
        tellDrained()
    }

    private func tellDrained() {
        guard !isRunning && answered == sent || failure != nil else { return }
        drained?.succeed()
        drained = nil
    }
}

@available(*, unavailable) extension PacedPublisher: Sendable {}

/// The publisher on its loop, for scenarios.
struct LoadPublisher: Sendable {
    private let publisher: NIOLoopBound<PacedPublisher>

    /// What was published in one run.
    struct Run: Sendable {
        /// The last committed offset of each topic.
        var heads: [Offset]
        /// Until the answer.
        var answers: LatencyHistogram

        /// The last committed offset of the only topic.
        var head: Offset { heads[0] }
    }

    /// Opens the publisher's session.
    static func open(
        _ events: [BenchEvent], _ target: LoadTarget, on group: any EventLoopGroup
    ) async throws -> LoadPublisher {
        let session = try await LoadSession.open(target, on: group)
        let loop = session.eventLoop
        return LoadPublisher(
            publisher: try await loop.submit {
                NIOLoopBound(
                    PacedPublisher(session.value, events: events, on: loop), eventLoop: loop)
            }.get())
    }

    /// Has the group tell what is through; needed for `.outstanding`, else a publish's answer
    /// counts.
    func follow(_ group: LoadGroup) async throws {
        let loop = publisher.eventLoop
        let topics = try await group.tell { topic, offset in
            loop.execute { publisher.value.through(offset, topic: topic) }
        }
        try await loop.submit { for topic in topics { publisher.value.join(topic: topic) } }.get()
    }

    /// Publishes for so long.
    ///
    /// - Throws: `BenchError` if a publish was refused, or the session ended.
    @discardableResult
    func run(_ pace: PublishPace, for duration: Duration) async throws -> Run {
        start(pace)
        try await Task.sleep(for: duration)
        return try await stop()
    }

    /// Publishes so many events; throws as `run`.
    @discardableResult
    func publish(_ count: Int, _ pace: PublishPace) async throws -> Run {
        start(pace, limit: count)
        return try await stop(atOnce: false)
    }

    func start(_ pace: PublishPace, limit: Int? = nil) {
        let loop = publisher.eventLoop
        loop.execute { publisher.value.run(pace, limit: limit) }
    }

    /// Stops; throws as `run`.
    func stop(atOnce: Bool = true) async throws -> Run {
        let loop = publisher.eventLoop
        try await loop.flatSubmit { publisher.value.stop(atOnce: atOnce) }.get()
        let (run, failure) = try await loop.submit {
            (
                Run(heads: publisher.value.heads, answers: publisher.value.answers),
                publisher.value.failure
            )
        }.get()
        if let failure { throw BenchError("The broker did not take all events: \(failure)") }
        return run
    }

    func leave() { publisher.eventLoop.execute { publisher.value.leave() } }
}
