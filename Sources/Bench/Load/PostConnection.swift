internal import EventModel
internal import NIOCore

/// One connection that publishes over HTTP, some requests at a time, each as soon as another one is
/// answered.
///
/// Confined to its event loop.
final class PostConnection {
    /// How one publishes.
    struct Plan: Sendable {
        let event: BenchEvent
        /// Requests under way at a time.
        let depth: Int
        /// Events of a request; one is JSON, more are NDJSON.
        let batch: Int
    }

    /// What has been answered.
    struct Counts: Sendable {
        var requests = 0
        /// The last offset that was answered.
        var head: Offset = 0
        /// Events that are committed.
        var events: Offset = 0
        /// Answers whose offsets are not behind those before them.
        var disordered: Offset = 0
        var latencies = LatencyHistogram()
        /// Why it does not go on.
        var failure: BenchError?

        static func += (counts: inout Counts, other: Counts) {
            counts.requests += other.requests
            counts.head = max(counts.head, other.head)
            counts.events += other.events
            counts.disordered += other.disordered
            counts.latencies.merge(other.latencies)
            counts.failure = counts.failure ?? other.failure
        }
    }

    private let plan: Plan
    private let target: LoadTarget
    private let head: [UInt8]
    private let opening: EventLoopPromise<Void>
    private var connection: LoadConnection?
    private var held = HeldBytes()
    /// When each of those under way was sent.
    private var times = CircularBuffer<UInt64>()
    private(set) var counts = Counts()
    private var isRunning = false
    private var drained: EventLoopPromise<Void>?

    private init(_ plan: Plan, _ target: LoadTarget, _ opening: EventLoopPromise<Void>) {
        self.plan = plan
        self.target = target
        self.opening = opening
        let type = plan.batch == 1 ? "application/json" : "application/x-ndjson"
        let length =
            plan.batch == 1 ? plan.event.byteCount : (plan.event.byteCount + 1) * plan.batch
        head = Array(
            """
            POST /v1/topics/\(plan.event.topic)/events HTTP/1.1\r
            Host: \(target.authority)\r
            \(target.authorization)Content-Type: \(type)\r
            Content-Length: \(length)\r
            \r

            """.utf8)
    }

    /// Connects on the loop.
    static func open(
        _ plan: Plan, _ target: LoadTarget, on loop: any EventLoop
    ) async throws -> NIOLoopBound<PostConnection> {
        let opening = loop.makePromise(of: Void.self)
        let posts = try await loop.submit {
            NIOLoopBound(PostConnection(plan, target, opening), eventLoop: loop)
        }.get()
        LoadConnection.connect(target, from: nil, on: loop) { connect in
            posts.value.connection = try connect(posts.value)
        }.whenFailure { opening.fail(BenchError.connecting(target, $0)) }
        try await opening.futureResult.get()
        return posts
    }

    func start() {
        isRunning = true
        for _ in times.count..<plan.depth { post() }
        connection?.flush()
    }

    /// Stops; succeeds when everything that was sent is answered.
    func stop(on loop: any EventLoop) -> EventLoopFuture<Void> {
        isRunning = false
        let promise = loop.makePromise(of: Void.self)
        drained = promise
        tellDrained()
        return promise.futureResult
    }

    /// Forgets what was measured, but not where the topic is.
    func forget() {
        counts.requests = 0
        counts.latencies = LatencyHistogram()
    }

    func leave() { connection?.close() }

    private func post() {
        let now = NIODeadline.now().uptimeNanoseconds
        times.append(now)
        connection?.write(head)
        let data = plan.event.data(at: now)
        guard plan.batch > 1 else {
            connection?.write(data)
            return
        }
        for _ in 0..<plan.batch {
            connection?.write(data)
            connection?.write(CollectionOfOne(0x0A))
        }
    }

    private static let firstOffset = Array(#""first_offset":"#.utf8)
    private static let lastOffset = Array(#""last_offset":"#.utf8)

    /// Unsafe memory on the hot path: answers are read where the socket's bytes are.
    private func answered(_ answer: HTTPAnswer, _ bytes: UnsafeRawBufferPointer) {
        let time = NIODeadline.now().uptimeNanoseconds
        let body = UnsafeRawBufferPointer(rebasing: bytes[answer.headBytes..<answer.byteCount])
        guard let sent = times.popFirst(), answer.status == 201,
            let first = body.end(of: Self.firstOffset).flatMap({ body.number(at: $0) }),
            let last = body.end(of: Self.lastOffset).flatMap({ body.number(at: $0) }),
            Int(last) - Int(first) == plan.batch - 1
        else {
            let error = BenchError.refused(target, status: answer.status, body: Array(body))
            counts.failure = counts.failure ?? error
            isRunning = false
            return
        }
        counts.latencies.record(Int64(time) - Int64(sent))
        counts.requests += 1
        counts.events += Offset(plan.batch)
        if Offset(first) <= counts.head { counts.disordered += 1 }
        counts.head = max(counts.head, Offset(last))
        if isRunning { post() }
    }

    private func tellDrained() {
        guard times.isEmpty || counts.failure != nil else { return }
        drained?.succeed()
        drained = nil
    }
}

@available(*, unavailable) extension PostConnection: Sendable {}

extension PostConnection: LoadReceiver {
    func opened() { opening.succeed() }

    func received(_ bytes: UnsafeRawBufferPointer) {
        held.offer(bytes) { bytes in
            var start = 0
            while start < bytes.count,
                let answer = HTTPAnswer(UnsafeRawBufferPointer(rebasing: bytes[start...]))
            {
                answered(answer, UnsafeRawBufferPointer(rebasing: bytes[start...]))
                start += answer.byteCount
            }
            return start
        }
        connection?.flush()
        tellDrained()
    }

    func closed(_ reason: String) {
        connection = nil
        isRunning = false
        let error = BenchError.closedEarly(target, reason)
        opening.fail(error)
        if !times.isEmpty || drained != nil { counts.failure = counts.failure ?? error }
        tellDrained()
    }
}
