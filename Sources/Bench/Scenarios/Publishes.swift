internal import EventModel
internal import NIOCore
internal import NIOPosix

/// How many events a broker commits that are published over HTTP, alone or in batches, and what
/// each costs; all are then read from the log and checked.
package struct Publishes: BenchScenario, Equatable {
    package var connections = 4
    /// Requests under way at a time, over all connections; at least one of each.
    package var outstanding = 16
    /// At most as many as connections, which publish to them in turn.
    package var topics = 1
    /// Bytes of an event's data.
    package var bytes = 128
    /// Events of a request.
    package var batch = 1
    package var duration = Duration.seconds(5)
    /// How long reading everything may take.
    package var patience = Duration.seconds(120)

    package init() {}

    package struct Outcome: BenchOutcome {
        let batch: Int
        var requests: Int
        var answers: LatencySummary
        var usage: UsageMark.Span
        var memory: Int64?
        /// What the log had at the end.
        package var delivered: DeliveryCheck.Tally
        package var end: String?

        package var isSound: Bool { delivered.isSound }

        private var events: Int64 { Int64(requests * batch) }

        package var figures: [Figure] {
            var figures: [Figure] = []
            figures.add("events_per_s", "events", .perSecond, Double(events) / usage.seconds)
            figures.add(
                "requests_per_s", "requests", .perSecond, Double(requests) / usage.seconds)
            figures.add(answers, key: "answer", "answer")
            figures.add(usage, per: events, "event")
            if batch > 1 { figures.add(usage, per: Int64(requests), "request") }
            figures.add(usage)
            figures.addMemory(memory)
            return figures
        }
    }

    package func run(
        _ broker: BenchBroker, progress: @escaping @Sendable (String) -> Void
    ) async throws -> Outcome {
        try await broker.withTopics("publish", count: topics, bytes: bytes) { events in
            let posts = try await open(events, broker)
            progress("warming up")
            _ = try await post(posts, for: FanOut.warmUp)
            for connection in posts {
                try await connection.eventLoop.submit { connection.value.forget() }.get()
            }
            progress("measuring")
            let start = broker.mark()
            let counts = try await post(posts, for: duration)
            let end = broker.mark()
            for connection in posts {
                connection.eventLoop.execute { connection.value.leave() }
            }
            progress("reading what was published")
            let (tally, reason) = try await read(events, counts, broker)
            let sum = counts.reduce(into: PostConnection.Counts()) { $0 += $1 }
            return Outcome(
                batch: batch, requests: sum.requests, answers: LatencySummary(sum.latencies),
                usage: end.span(since: start), memory: end.broker?.residentBytes,
                delivered: tally, end: reason)
        }
    }

    private func open(
        _ events: [BenchEvent], _ broker: BenchBroker
    ) async throws -> [NIOLoopBound<PostConnection>] {
        var posts: [NIOLoopBound<PostConnection>] = []
        for index in 0..<connections {
            let plan = PostConnection.Plan(
                event: events[index % events.count],
                depth: max(1, (outstanding + connections - 1 - index) / connections), batch: batch)
            posts.append(
                try await PostConnection.open(plan, broker.target, on: broker.probe.next()))
        }
        return posts
    }

    /// All publish for so long; throws the first that was refused.
    private func post(
        _ posts: [NIOLoopBound<PostConnection>], for duration: Duration
    ) async throws -> [PostConnection.Counts] {
        for connection in posts { connection.eventLoop.execute { connection.value.start() } }
        try await Task.sleep(for: duration)
        let ends = posts.map { connection in
            let loop = connection.eventLoop
            return loop.flatSubmit { connection.value.stop(on: loop) }
        }
        for end in ends { try await end.get() }
        var counts: [PostConnection.Counts] = []
        for connection in posts {
            counts.append(try await connection.eventLoop.submit { connection.value.counts }.get())
        }
        if let failure = counts.lazy.compactMap(\.failure).first { throw failure }
        return counts
    }

    /// Reads each topic from its begin: what was answered is there, and nothing else.
    private func read(
        _ events: [BenchEvent], _ counts: [PostConnection.Counts], _ broker: BenchBroker
    ) async throws -> (DeliveryCheck.Tally, end: String?) {
        var ofTopics = [PostConnection.Counts](repeating: .init(), count: events.count)
        for (index, counts) in counts.enumerated() { ofTopics[index % events.count] += counts }
        let group = try await LoadGroup.open(
            events.count,
            at: events.enumerated().map {
                LoadStart(event: $1, topic: $0, isFromEarliest: true)
            }, broker.target, on: broker.probe)
        try await group.subscribe()
        let times = await group.wait(for: ofTopics.map(\.head), atMost: patience)
        var (tally, end) = try await group.finish()
        let answered = ofTopics.reduce(0) { $0 + $1.events }
        let seen = tally.events + tally.told
        tally.lost += max(0, answered - seen)
        tally.unwanted += max(0, seen - answered)
        tally.repeated += ofTopics.reduce(0) { $0 + $1.disordered }
        if times.count < UInt64(events.count) {
            end = end ?? "not everything could be read in \(patience)"
        }
        return (tally, end)
    }
}
