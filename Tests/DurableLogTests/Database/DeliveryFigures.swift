import DurableLog
import EventLogContract
import EventModel
import Foundation
import PostgresBridge
import Synchronization
import Testing

/// Measures instead of testing: `SLUICE_FIGURES=1 swift test --filter DeliveryFigures`
/// (doc:Figures, "Ephemeral against durable").
@Suite(
    "Figures of delivery",
    .enabled(if: ProcessInfo.processInfo.environment["SLUICE_FIGURES"] != nil))
struct DeliveryFigures {
    private static let count = 1000
    private static let kinds = ["durable", "ephemeral"]

    /// When a node's sink was told each offset.
    private final class Stopwatch: LogSink {
        let times = Mutex<[TopicName: [ContinuousClock.Instant]]>([:])

        func appended(_ events: [Event], to position: TopicPosition) {
            let now = ContinuousClock.now
            times.withLock { times in
                times[position.topic, default: []] += events.map { _ in now }
            }
        }
        func created(_ topics: [TopicName]) {}
        func deleted(_ topic: TopicName, at position: TopicPosition?) {}
        func purged(_ topic: TopicName, earliest: Offset, at position: TopicPosition?) {}
        func restarted(_ position: TopicPosition, fork: Offset, from old: TopicPosition) {}
    }

    @Test func `from the call to the answer and to both nodes, one event at a time`() async throws {
        let schema = try await LogNode.withFreshDatabase()
        await schema.stop()
        let watches = [Stopwatch(), Stopwatch()]
        let configuration = PostgresConfiguration(
            conninfo: schema.conninfo, applicationName: "figures")
        let logs = watches.map { _ in
            PostgresLog(configuration: configuration, logger: LogNode.logger)
        }
        for (log, watch) in zip(logs, watches) { log.start(sink: watch) }
        try await eventually("ready") { logs.allSatisfy(\.isReady) }
        var topics: [TopicName] = []
        for kind in Self.kinds {
            var settings = TopicSettings()
            settings.isDurable = kind == "durable"
            topics.append(try TopicName(kind))
            _ = try await logs[0].create(topics[topics.count - 1], settings: settings)
        }
        for log in logs { try await log.follow(topics, sink: RecordingSink()) }
        var begun: [TopicName: [ContinuousClock.Instant]] = [:]
        var answered: [TopicName: [ContinuousClock.Instant]] = [:]
        for number in 0..<Self.count {
            for topic in topics {
                begun[topic, default: []].append(.now)
                _ = try await logs[0].append(["{\"n\":\(number)}"], to: topic).get()
                answered[topic, default: []].append(.now)
                try await eventually("delivered") {
                    watches.allSatisfy { $0.times.withLock { $0[topic]?.count == number + 1 } }
                }
            }
        }
        for topic in topics {
            let start = begun[topic] ?? []
            let columns =
                [("answer", answered[topic] ?? [])]
                + zip(["own node", "other node"], watches).map { name, watch in
                    (name, watch.times.withLock { $0[topic] ?? [] })
                }
            for (name, times) in columns {
                let sorted = zip(start, times).map { $1 - $0 }.sorted()
                print(
                    "\(topic) to \(name): p50 \(sorted[sorted.count / 2]),",
                    "p99 \(sorted[sorted.count * 99 / 100])")
            }
        }
        for log in logs { await LogNode.stop(log) }
    }
}
