internal import EventModel
internal import NIOCore
internal import SessionProtocol
internal import SluiceClient

/// Publishes events at a steady rate, whether or not the broker keeps up: each carries the time at
/// which it was to be sent, so that waiting counts (no coordinated omission).
///
/// Confined to its event loop.
final class OpenLoopPublisher {
    private let session: LoadSession
    private let event: BenchEvent
    private let interval: Double
    private var start: UInt64 = 0
    private var sent = 0
    private var answered = 0
    private var isRunning = false
    /// The offset of the last event that is committed.
    private(set) var head: Offset = 0
    /// The broker's first refusal, or why the session ended.
    private(set) var failure: String?
    /// Called when everything that was sent is answered, once it does not run any more.
    private var drained: EventLoopPromise<Void>?
    /// A session's publishes may wait for their outcome in this number (`publishes_in_flight`).
    private static let inFlightMax = 1000
    private static let turn = TimeAmount.milliseconds(1)

    /// Publishes `rate` events a second.
    init(_ session: LoadSession, event: BenchEvent, rate: Double) {
        self.session = session
        self.event = event
        interval = 1e9 / rate
        session.received = { [unowned self] in received($0) }
        session.ended = { [unowned self] in failed($0) }
    }

    func run(on loop: any EventLoop) {
        start = NIODeadline.now().uptimeNanoseconds
        sent = 0
        answered = 0
        isRunning = true
        publish(on: loop)
    }

    /// Stops; succeeds when everything that was sent is answered.
    func stop(on loop: any EventLoop) -> EventLoopFuture<Void> {
        isRunning = false
        let promise = loop.makePromise(of: Void.self)
        drained = promise
        tellDrained()
        return promise.futureResult
    }

    func leave() { session.leave() }

    private func publish(on loop: any EventLoop) {
        guard isRunning, failure == nil else { return }
        let now = NIODeadline.now().uptimeNanoseconds
        while due(sent) <= now, sent - answered < Self.inFlightMax {
            let new = NewEvent(data: event.data(at: due(sent)))
            session.send(
                .publish(PublishMessage(id: Int64(sent), topic: event.topic, event: new)))
            sent += 1
        }
        loop.assumeIsolated().scheduleTask(in: Self.turn) { self.publish(on: loop) }
    }

    /// When the event of this number is to be sent.
    private func due(_ number: Int) -> UInt64 { start + UInt64(Double(number) * interval) }

    private func received(_ message: [UInt8]) {
        switch try? BrokerMessage.decode(message) {
        case .published(let published):
            answered += 1
            head = max(head, published.cursor.offset)
        case .error(let error):
            answered += 1
            failed("\(error.code): \(error.message)")
        default: break
        }
        tellDrained()
    }

    private func failed(_ reason: String) {
        failure = failure ?? reason
        tellDrained()
    }

    private func tellDrained() {
        guard answered == sent || failure != nil else { return }
        drained?.succeed()
        drained = nil
    }
}

@available(*, unavailable) extension OpenLoopPublisher: Sendable {}

/// The publisher on its loop, for scenarios.
struct LoadPublisher: Sendable {
    private let publisher: NIOLoopBound<OpenLoopPublisher>

    /// Opens the publisher's session.
    static func open(
        _ event: BenchEvent, rate: Double, _ connector: BrokerConnector,
        on group: any EventLoopGroup
    ) async throws -> LoadPublisher {
        let session = try await LoadSession.open(connector, on: group)
        let loop = session.eventLoop
        return LoadPublisher(
            publisher: try await loop.submit {
                NIOLoopBound(
                    OpenLoopPublisher(session.value, event: event, rate: rate), eventLoop: loop)
            }.get())
    }

    /// Publishes for so long.
    ///
    /// - Returns: The last committed offset.
    /// - Throws: `BenchError` if a publish was refused, or the session ended.
    @discardableResult
    func run(for duration: Duration) async throws -> Offset {
        start()
        try await Task.sleep(for: duration)
        return try await stop()
    }

    func start() {
        let loop = publisher.eventLoop
        loop.execute { publisher.value.run(on: loop) }
    }

    /// Stops.
    ///
    /// - Returns: As `run`.
    /// - Throws: As `run`.
    func stop() async throws -> Offset {
        let loop = publisher.eventLoop
        try await loop.flatSubmit { publisher.value.stop(on: loop) }.get()
        let (head, failure) = try await loop.submit {
            (publisher.value.head, publisher.value.failure)
        }.get()
        if let failure { throw BenchError("The broker did not take all events: \(failure).") }
        return head
    }

    func leave() { publisher.eventLoop.execute { publisher.value.leave() } }
}

/// Why a benchmark says nothing.
package struct BenchError: Error, Equatable, Sendable {
    package let message: String

    init(_ message: String) { self.message = message }
}
