internal import EventModel
internal import SluiceClient

/// What it costs when many clients resume the same topic at once, or one of some, a way back, while
/// others follow another topic live.
package struct ReconnectStorm: BenchScenario, Equatable {
    package var clients = 5000
    /// Topics that the clients resume, in turn.
    package var topics = 1
    /// Events that each client has missed.
    package var missed = 1000
    /// Bytes of an event's data.
    package var bytes = 128
    /// Subscribers of the other topic.
    package var live = 100
    /// Events a second in the other topic.
    package var rate = 100.0
    /// The clients connect in the storm, too, all at once; nobody counts as caught up before all
    /// have connected.
    package var connectsInStorm = false
    /// How long the others are measured before the storm.
    package var calm = Duration.seconds(10)
    /// How long the storm may take.
    package var patience = Duration.seconds(300)

    package init() {}

    package struct Outcome: BenchOutcome {
        /// The others', before the storm and in it.
        package var calm: LatencySummary
        package var storm: LatencySummary
        /// Until half of the clients had everything, and until the last, in ns.
        package var caughtUpHalf: Int64
        package var caughtUpLast: Int64
        /// Clients that never had everything, in `patience`.
        package var behind: Int
        package var tally: DeliveryCheck.Tally
        package var liveTally: DeliveryCheck.Tally
        package var end: String?
        /// The broker's CPU time in the storm, in ms.
        package var cpu: Int64?
        /// The broker's memory before the storm, and the most in it, in bytes.
        package var memoryBefore: Int64?
        package var memoryMost: Int64?

        /// How many times the others' p99 is what it was before.
        package var ratio: Double { calm.p99 > 0 ? Double(storm.p99) / Double(calm.p99) : 0 }
        /// Nothing is missing, and everybody has everything.
        package var isSound: Bool { tally.isSound && liveTally.isSound && behind == 0 }

        package var delivered: DeliveryCheck.Tally {
            var sum = tally
            sum += liveTally
            return sum
        }

        package var figures: [Figure] {
            var figures: [Figure] = []
            figures.add(calm, key: "calm", "the others, calm")
            figures.add(storm, key: "storm", "the others, storm")
            figures.add("p99_ratio", "ratio of p99", .ratio, ratio)
            figures.add(
                "caught_up_half_ns", "half caught up", .nanoseconds, Double(caughtUpHalf))
            figures.add("caught_up_last_ns", "all caught up", .nanoseconds, Double(caughtUpLast))
            figures.add(
                "cpu_us", "broker's CPU in the storm", .microseconds,
                cpu.map { Double($0) * 1000 })
            figures.add(
                "memory_most_bytes", "broker's memory, at most", .bytes,
                memoryMost.map { Double($0) })
            return figures
        }
    }

    package func run(
        _ broker: BenchBroker, progress: @escaping @Sendable (String) -> Void
    ) async throws -> Outcome {
        try await broker.withTopics("storm", count: topics + 1, bytes: bytes) { events in
            var starts: [LoadStart] = []
            var heads: [Offset] = []
            for (number, event) in events.dropLast().enumerated() {
                progress("publishing \(missed) events" + (topics > 1 ? ", topic \(number)" : ""))
                let published = try await publishMissed(event, broker.client)
                starts.append(LoadStart(event: event, topic: number, cursor: published.start))
                heads.append(published.head)
            }
            return try await storm(starts, heads, quiet: events[topics], broker, progress)
        }
    }

    private func storm(
        _ starts: [LoadStart], _ heads: [Offset], quiet: BenchEvent, _ broker: BenchBroker,
        _ progress: @escaping @Sendable (String) -> Void
    ) async throws -> Outcome {
        let publisher = try await LoadPublisher.open([quiet], broker.target, on: broker.probe)
        let others = try await LoadGroup.open(
            live, at: [LoadStart(event: quiet)], broker.target, on: broker.probe)
        try await others.subscribe()
        let connect: @Sendable (Bool) async throws -> LoadGroup = { isStorm in
            try await LoadGroup.open(
                clients, at: starts, isSubscribing: isStorm, broker.target, on: broker.group,
                atOnce: isStorm ? clients : LoadGroup.opensMax
            ) { progress("\($0) of \(clients) connected") }
        }
        let connected = connectsInStorm ? nil : try await connect(false)
        publisher.start(.rate(rate))
        try await Task.sleep(for: .seconds(1))
        _ = try await others.takeLatencies()
        progress("calm")
        try await Task.sleep(for: calm)
        let calm = LatencySummary(try await others.takeLatencies())
        progress("storm")
        let before = broker.usage
        let memory = MemoryWatch(broker)
        let begin = ContinuousClock.now
        let group: LoadGroup
        if let connected { group = connected } else { group = try await connect(true) }
        async let caughtUp = group.wait(for: heads, since: begin, atMost: patience)
        if connected != nil { try await group.subscribe() }
        let times = await caughtUp
        let storm = LatencySummary(try await others.takeLatencies())
        let most = await memory.end()
        let after = broker.usage
        let last = try await publisher.stop().heads
        _ = await others.wait(for: last, atMost: .seconds(10))
        let (tally, end) = try await group.finish()
        let (liveTally, liveEnd) = try await others.finish()
        publisher.leave()
        return Outcome(
            calm: calm, storm: storm, caughtUpHalf: times.quantile(0.5), caughtUpLast: times.max,
            behind: clients - Int(times.count), tally: tally, liveTally: liveTally,
            end: end ?? liveEnd,
            cpu: after.flatMap { after in
                before.map { after.cpuMilliseconds - $0.cpuMilliseconds }
            },
            memoryBefore: before?.residentBytes, memoryMost: most)
    }

    /// One event that the clients have, and those that they have missed.
    private func publishMissed(
        _ event: BenchEvent, _ client: BrokerClient
    ) async throws -> (start: Cursor, head: Offset) {
        func publish(_ count: Int) async throws -> PublishResult? {
            let events = (0..<count).map { _ in
                OutgoingEvent(topic: event.topic.text, data: event.data(at: 0))
            }
            return try await client.publish(events, retryingFor: .seconds(30)).last
        }
        guard let first = try await publish(1), let start = Cursor(first.cursor) else {
            throw BenchError("The broker's answer to a publish has no cursor.")
        }
        var head = start.offset
        var left = missed
        while left > 0 {
            let count = min(left, 500)
            head = try await publish(count)?.offset ?? head
            left -= count
        }
        return (start, head)
    }
}

/// The most memory that the broker has in use while it is watched.
private struct MemoryWatch {
    private let task: Task<Int64?, Never>

    init(_ broker: BenchBroker) {
        task = Task {
            var most: Int64?
            while true {
                if let bytes = broker.usage?.residentBytes { most = max(most ?? 0, bytes) }
                do { try await Task.sleep(for: .milliseconds(50)) } catch { return most }
            }
        }
    }

    /// Ends the watch; `nil` if nothing could be read.
    func end() async -> Int64? {
        task.cancel()
        return await task.value
    }
}
