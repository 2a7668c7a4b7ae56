internal import EventModel

/// What it costs to ask for each event and each subscriber whether a filter lets it through: events
/// at a rate without subscribers, and then with them.
package struct FilterCost: BenchScenario, Equatable {
    package var subscribers = 100
    /// Filters that differ; the subscribers have them in turn.
    package var filters = 100
    /// Of a hundred events, those that come through.
    package var share = 1
    /// Bytes of an event's data.
    package var bytes = 128
    /// Events a second.
    package var rate = 1000.0
    package var duration = Duration.seconds(5)

    package init() {}

    package struct Outcome: BenchOutcome {
        let subscribers: Int
        /// Without subscribers.
        var bare: DeliveryStretch
        var filtered: DeliveryStretch
        package var delivered: DeliveryCheck.Tally
        package var end: String?

        package var isSound: Bool { delivered.isSound && filtered.behind == 0 }

        package var figures: [Figure] {
            var figures: [Figure] = []
            figures.addRates(of: filtered)
            let without = Self.each(bare)
            let with = Self.each(filtered)
            figures.add(
                "bare_us_per_event", "broker's CPU for each event, nobody subscribed",
                .microseconds, without)
            figures.add(filtered.usage, per: filtered.events, "event")
            figures.add(
                "filter_us", "broker's CPU for each event and filter, deliveries included",
                .microseconds,
                without.flatMap { without in with.map { ($0 - without) / Double(subscribers) } })
            figures.add(filtered.latency, key: "delivery", "delivery")
            figures.add(filtered.usage)
            figures.addMemory(filtered.memory)
            return figures
        }

        private static func each(_ stretch: DeliveryStretch) -> Double? {
            stretch.usage.broker.map { Double($0) / Double(stretch.events) }
        }
    }

    /// The filter of this number: all let the same through, and no two have the same text.
    func filter(_ number: Int) -> String { #"$.n < \#(100 + share) && $.pad != "\#(number)""# }

    package func run(
        _ broker: BenchBroker, progress: @escaping @Sendable (String) -> Void
    ) async throws -> Outcome {
        try await broker.withTopics("filters", bytes: bytes) { events in
            let pace = PublishPace.rate(rate)
            let publisher = try await LoadPublisher.open(events, broker.target, on: broker.probe)
            progress("warming up")
            var heads = try await publisher.run(pace, for: FanOut.warmUp).heads
            progress("measuring without subscribers")
            let bare = try await DeliveryStretch.measure(
                publisher, nil, broker, pace, for: duration, behind: heads)
            let starts = (0..<filters).map { number in
                LoadStart(
                    event: events[0], filter: filter(number),
                    share: EventShare(hundredths: share))
            }
            let group = try await LoadGroup.open(
                subscribers, at: starts, broker.target, on: broker.group
            ) { progress("\($0) of \(subscribers) connected") }
            try await group.subscribe()
            heads = try await publisher.run(pace, for: FanOut.warmUp).heads
            progress("measuring with filters")
            let filtered = try await DeliveryStretch.measure(
                publisher, group, broker, pace, for: duration, behind: heads)
            let (tally, end) = try await group.finish()
            publisher.leave()
            return Outcome(
                subscribers: subscribers, bare: bare, filtered: filtered, delivered: tally, end: end
            )
        }
    }
}
