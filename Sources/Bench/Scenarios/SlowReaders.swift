internal import EventModel

/// What readers that stop cost the others: stretches in which all read, and stretches in which some
/// do not, in turn; the slow ones then read on and are to get everything, or to be told what they
/// miss.
package struct SlowReaders: BenchScenario, Equatable {
    package var subscribers = 1000
    /// Of them, those that stop.
    package var stopping = 100
    /// Events a second.
    package var rate = 20.0
    /// Bytes of an event's data.
    package var bytes = 8192
    /// How long one stretch takes.
    package var stretch = Duration.seconds(10)
    package var pairs = 5
    /// How long who stopped may take to have everything.
    package var patience = Duration.seconds(120)

    package init() {}

    /// One stretch with all reading, and one in which some did not.
    package struct Pair: Equatable, Sendable {
        package var reading: LatencySummary
        package var stopped: LatencySummary
        /// Until the last of those that had stopped had everything, in ns.
        package var caughtUp: Int64
        /// How many never did, in `patience`.
        package var behind: Int
        /// The broker's CPU time in each stretch, in ms.
        package var cpuReading: Int64?
        package var cpuStopped: Int64?
        /// The broker's memory at each stretch's end, in bytes.
        package var memoryReading: Int64?
        package var memoryStopped: Int64?

        /// How many times the others' p99 is what it was before.
        package var ratio: Double {
            reading.p99 > 0 ? Double(stopped.p99) / Double(reading.p99) : 0
        }
    }

    package struct Outcome: BenchOutcome {
        package var pairs: [Pair]
        package var tally: DeliveryCheck.Tally
        /// Why the first session that ended did.
        package var end: String?

        /// The median of the pairs' ratios.
        package var ratio: Double { median(pairs.map(\.ratio)) }
        /// Nothing is missing, and everybody who stopped has everything.
        package var isSound: Bool { tally.isSound && pairs.allSatisfy { $0.behind == 0 } }
        package var delivered: DeliveryCheck.Tally { tally }

        package var figures: [Figure] {
            var figures: [Figure] = []
            func add(
                _ key: String, _ title: String, _ unit: Figure.Unit, _ value: (Pair) -> Int64?
            ) {
                let values = pairs.compactMap(value).map { Double($0) }
                figures.add(key, title, unit, values.isEmpty ? nil : median(values))
            }
            add("reading_p50_ns", "p50, all read", .nanoseconds) { $0.reading.p50 }
            add("reading_p99_ns", "p99, all read", .nanoseconds) { $0.reading.p99 }
            add("stopped_p50_ns", "p50, some stopped", .nanoseconds) { $0.stopped.p50 }
            add("stopped_p99_ns", "p99, some stopped", .nanoseconds) { $0.stopped.p99 }
            figures.add("p99_ratio", "ratio of p99", .ratio, ratio)
            add("caught_up_ns", "caught up", .nanoseconds) { $0.caughtUp }
            add("cpu_reading_us", "broker's CPU, all read", .microseconds) {
                $0.cpuReading.map { $0 * 1000 }
            }
            add("cpu_stopped_us", "broker's CPU, some stopped", .microseconds) {
                $0.cpuStopped.map { $0 * 1000 }
            }
            add("memory_stopped_bytes", "broker's memory, some stopped", .bytes) {
                $0.memoryStopped
            }
            return figures
        }
    }

    package func run(
        _ broker: BenchBroker, progress: @escaping @Sendable (String) -> Void
    ) async throws -> Outcome {
        try await broker.withTopics("slow", bytes: bytes) { events in
            let publisher = try await LoadPublisher.open(events, broker.target, on: broker.probe)
            let group = try await LoadGroup.open(
                subscribers, at: [LoadStart(event: events[0])], broker.target, on: broker.group
            ) { progress("\($0) of \(subscribers) connected") }
            try await group.subscribe()
            progress("warming up")
            try await publisher.run(.rate(rate), for: .seconds(1))
            var pairs: [Pair] = []
            for number in 1...max(self.pairs, 1) {
                pairs.append(
                    try await pair(group, publisher, broker) { progress("pair \(number): \($0)") })
            }
            let (tally, end) = try await group.finish()
            publisher.leave()
            return Outcome(pairs: pairs, tally: tally, end: end)
        }
    }

    private func pair(
        _ group: LoadGroup, _ publisher: LoadPublisher, _ broker: BenchBroker,
        progress: @Sendable (String) -> Void
    ) async throws -> Pair {
        try await group.measure(allButLast: stopping)
        progress("all read")
        let reading = try await stretch(group, publisher, broker)
        progress("\(stopping) stopped")
        try await group.setReading(false, last: stopping)
        let stopped = try await stretch(group, publisher, broker)
        progress("\(stopping) read on")
        try await group.setReading(true, last: stopping)
        let times = await group.wait(for: [stopped.head], atMost: patience)
        return Pair(
            reading: reading.latency, stopped: stopped.latency, caughtUp: times.max,
            behind: group.count - Int(times.count), cpuReading: reading.cpu,
            cpuStopped: stopped.cpu, memoryReading: reading.memory, memoryStopped: stopped.memory)
    }

    private struct Stretch {
        var latency: LatencySummary
        var head: Offset
        var cpu: Int64?
        var memory: Int64?
    }

    private func stretch(
        _ group: LoadGroup, _ publisher: LoadPublisher, _ broker: BenchBroker
    ) async throws -> Stretch {
        _ = try await group.takeLatencies()
        let before = broker.usage
        let head = try await publisher.run(.rate(rate), for: stretch).head
        let after = broker.usage
        let cpu = before.flatMap { before in
            after.map { $0.cpuMilliseconds - before.cpuMilliseconds }
        }
        return Stretch(
            latency: LatencySummary(try await group.takeLatencies()), head: head, cpu: cpu,
            memory: after?.residentBytes)
    }
}
