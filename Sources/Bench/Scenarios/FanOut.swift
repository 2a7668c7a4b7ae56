internal import EventModel

/// What it costs to deliver each event to many subscribers, over one topic or many, and how long it
/// takes; with a rate it is an open loop.
package struct FanOut: BenchScenario, Equatable {
    package var name = "fanout"
    /// At least as many as topics, which they follow in turn.
    package var subscribers = 1000
    package var topics = 1
    /// Bytes of an event's data.
    package var bytes = 128
    package var pace = PublishPace.outstanding(1)
    package var duration = Duration.seconds(5)

    package init() {}

    package struct Outcome: BenchOutcome {
        var stretch: DeliveryStretch
        package var delivered: DeliveryCheck.Tally
        package var end: String?

        package var isSound: Bool { delivered.isSound && stretch.behind == 0 }

        package var figures: [Figure] {
            var figures: [Figure] = []
            figures.addRates(of: stretch)
            figures.add(stretch.usage, per: stretch.deliveries, "delivery")
            figures.add(stretch.usage, per: stretch.events, "event")
            figures.add(
                "events_per_record", "events a TLS record", .ratio,
                stretch.records > 0
                    ? Double(stretch.deliveries) / Double(stretch.records) : nil)
            figures.add(stretch.latency, key: "delivery", "delivery")
            figures.add(stretch.answers, key: "answer", "answer to the publish")
            figures.add(stretch.usage)
            figures.addMemory(stretch.memory)
            return figures
        }
    }

    package func run(
        _ broker: BenchBroker, progress: @escaping @Sendable (String) -> Void
    ) async throws -> Outcome {
        try await broker.withTopics(name, count: topics, bytes: bytes) { events in
            let group = try await LoadGroup.open(
                subscribers,
                at: events.enumerated().map { LoadStart(event: $1, topic: $0) }, broker.target,
                on: broker.group
            ) { progress("\($0) of \(subscribers) connected") }
            try await group.subscribe()
            let publisher = try await LoadPublisher.open(events, broker.target, on: broker.probe)
            if case .outstanding = pace { try await publisher.follow(group) }
            progress("warming up")
            // Each topic comes into being with its first event.
            try await publisher.publish(events.count, .outstanding(16))
            let heads = try await publisher.run(pace, for: Self.warmUp).heads
            _ = await group.wait(for: heads, atMost: DeliveryStretch.patience)
            progress("measuring")
            let stretch = try await DeliveryStretch.measure(
                publisher, group, broker, pace, for: duration, behind: heads)
            let (tally, end) = try await group.finish()
            publisher.leave()
            return Outcome(stretch: stretch, delivered: tally, end: end)
        }
    }

    static let warmUp = Duration.milliseconds(500)
}
