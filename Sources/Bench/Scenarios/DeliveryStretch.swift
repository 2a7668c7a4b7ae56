internal import EventModel

/// What was measured while events were published at a pace: what the scenarios of deliveries have
/// in common.
package struct DeliveryStretch: Sendable {
    /// That were committed.
    var events: Int64
    var deliveries: Int64
    /// TLS records of application data that brought them.
    var records: Int
    /// From when each event was to be sent to each subscriber.
    var latency: LatencySummary
    /// From when each event was to be sent to its answer.
    var answers: LatencySummary
    var usage: UsageMark.Span
    /// The broker's, at the end.
    var memory: Int64?
    /// Subscribers that never had everything, in `patience`.
    var behind: Int

    /// How long subscribers may take to have everything.
    static let patience = Duration.seconds(60)

    /// Publishes for so long, and waits until everything has arrived.
    static func measure(
        _ publisher: LoadPublisher, _ group: LoadGroup?, _ broker: BenchBroker, _ pace: PublishPace,
        for duration: Duration, behind heads: [Offset]
    ) async throws -> DeliveryStretch {
        let before = try await group?.counts() ?? (events: 0, records: 0)
        _ = try await group?.takeLatencies()
        let start = broker.mark()
        let run = try await publisher.run(pace, for: duration)
        let times = await group?.wait(for: run.heads, atMost: patience)
        let end = broker.mark()
        let after = try await group?.counts() ?? (events: 0, records: 0)
        return DeliveryStretch(
            events: zip(run.heads, heads).reduce(0) { $0 + $1.0 - $1.1 },
            deliveries: after.events - before.events, records: after.records - before.records,
            latency: LatencySummary(try await group?.takeLatencies() ?? LatencyHistogram()),
            answers: LatencySummary(run.answers), usage: end.span(since: start),
            memory: end.broker?.residentBytes,
            behind: (group?.count ?? 0) - Int(times?.count ?? 0))
    }
}

extension [Figure] {
    /// Adds how many events were committed and delivered in a second.
    mutating func addRates(of stretch: DeliveryStretch) {
        let seconds = stretch.usage.seconds
        add("events_per_s", "events", .perSecond, Double(stretch.events) / seconds)
        add("deliveries_per_s", "deliveries", .perSecond, Double(stretch.deliveries) / seconds)
    }
}
