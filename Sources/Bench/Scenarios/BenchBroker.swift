internal import EventModel
internal import Glibc
internal import NIOCore
internal import NIOPosix
package import SluiceClient
internal import Synchronization

/// The broker under test, and the event loops of the load.
package struct BenchBroker: Sendable, CustomStringConvertible {
    let target: LoadTarget
    let client: BrokerClient
    let group: MultiThreadedEventLoopGroup
    /// A loop of its own for publishers and for those whose latency is measured beside a load, so
    /// that they do not wait for the load's own work.
    let probe = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let processes: MeasuredProcesses
    private let memoryFirst = FirstValue()

    /// Makes its loops; nothing is connected yet.
    ///
    /// `pids` are the broker's process on this machine, and others that belong to it and are told
    /// apart; without them CPU time and memory of the broker are not measured. Throws when the
    /// configuration can't be used.
    package init(
        _ configuration: ClientConfiguration, loops: Int, pids: [Int32]
    ) throws(SluiceError) {
        target = try LoadTarget(configuration)
        client = try BrokerClient(configuration)
        group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        processes = MeasuredProcesses(pids: pids)
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

    package var description: String { target.name }

    /// Throws the `SluiceError` that says why nothing can be measured: the broker is not reached,
    /// or refuses the token.
    func check() async throws { _ = try await client.topics(matching: "bench.check") }

    /// What the broker used up to now.
    var usage: ProcessUsage? { processes.pids.first.flatMap { ProcessUsage(pid: $0) } }

    /// What everybody used up to now.
    func mark() -> UsageMark { processes.mark() }

    /// The broker's memory when a scenario asked for the first time: memory that was used and is
    /// free again is used again, and would not be seen.
    var memoryAtFirst: Int64? { memoryFirst.value(usage?.residentBytes) }

    // MARK: Topics

    /// Gives `body` events of so many new topics, which are deleted afterwards.
    func withTopics<Outcome: Sendable>(
        _ scenario: String, count: Int = 1, bytes: Int,
        _ body: ([BenchEvent]) async throws -> Outcome
    ) async throws -> Outcome {
        let run = "bench.\(scenario).\(String(UInt32.random(in: .min ... .max), radix: 36))"
        let events = try (0..<count).map { index in
            BenchEvent(topic: try TopicName(count == 1 ? run : "\(run).\(index)"), bytes: bytes)
        }
        do {
            let outcome = try await body(events)
            try await delete(events)
            return outcome
        } catch {
            // What went wrong matters; some of the topics may not be there.
            try? await delete(events)
            throw error
        }
    }

    private static let deletesMax = 16

    private func delete(_ events: [BenchEvent]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for (index, event) in events.enumerated() {
                if index >= Self.deletesMax { try await tasks.next() }
                tasks.addTask { _ = try await client.deleteTopic(event.topic.text) }
            }
            try await tasks.waitForAll()
        }
    }
}

/// The first value that was there.
private final class FirstValue: Sendable {
    private let first = Mutex<Int64?>(nil)

    func value(_ new: Int64?) -> Int64? {
        first.withLock { first in
            first = first ?? new
            return first
        }
    }
}
