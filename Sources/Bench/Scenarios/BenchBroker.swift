internal import EventModel
internal import Glibc
internal import NIOCore
internal import NIOPosix
package import SluiceClient

/// The broker under test, and the event loops of the load.
package struct BenchBroker: Sendable {
    let connector: BrokerConnector
    let client: BrokerClient
    let group: MultiThreadedEventLoopGroup
    /// A loop of its own for publishers and for those whose latency is measured beside a load, so
    /// that they do not wait for the load's own work.
    let probe = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    /// Of the broker, on this machine; `nil`: its CPU time and memory are not measured.
    let pid: Int32?

    /// - Throws: When the configuration can't be used.
    package init(
        _ configuration: ClientConfiguration, loops: Int, pid: Int32?
    ) throws(SluiceError) {
        connector = try BrokerConnector(configuration)
        client = try BrokerClient(configuration)
        group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        self.pid = pid
        // Where both share a core, who measures must not wait for the load: then the figures would
        // be the load's. On Linux a priority is a thread's.
        for loop in group.makeIterator() {
            loop.execute {
                setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.loadNice)
            }
        }
    }

    /// The lowest priority (nice(2)).
    private static let loadNice: Int32 = 19

    /// Ends the load's event loops.
    package func shutDown() async throws {
        try await group.shutdownGracefully()
        try await probe.shutdownGracefully()
    }

    /// What the broker used up to now.
    var usage: ProcessUsage? { pid.flatMap { ProcessUsage(pid: $0) } }

    /// A new topic's name for one run.
    static func topic(_ scenario: String) throws -> TopicName {
        try TopicName("bench.\(scenario).\(String(UInt32.random(in: .min ... .max), radix: 36))")
    }
}

/// Latency over one stretch of a run, in ns.
package struct LatencySummary: Equatable, Sendable {
    package var events: UInt64
    package var p50: Int64
    package var p99: Int64
    package var max: Int64

    init(_ histogram: LatencyHistogram) {
        events = histogram.count
        p50 = histogram.quantile(0.5)
        p99 = histogram.quantile(0.99)
        max = histogram.max
    }
}

/// The middle one of some values; 0 of none.
func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    let half = sorted.count / 2
    return sorted.count.isMultiple(of: 2)
        ? (sorted[half - 1] + sorted[half]) / 2 : sorted[half]
}
