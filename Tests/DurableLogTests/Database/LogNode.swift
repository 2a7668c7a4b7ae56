import DurableLog
import EventLogContract
import EventModel
import Foundation
import Logging
import PostgresBridge
import PostgresCluster
import Synchronization
import Testing

/// One node's log on a real PostgreSQL, with a sink that records.
final class LogNode: Sendable {
    let log: PostgresLog
    let sink = RecordingSink()
    let conninfo: String

    /// Migrates, starts, and waits until events can be appended and read.
    init(
        _ conninfo: String, listening: String? = nil, name: String = "node",
        limits: Limits = Limits(), announces: Bool = true
    ) async throws {
        self.conninfo = conninfo
        let configuration = PostgresConfiguration(conninfo: conninfo, applicationName: name)
        _ = try await Migrator(configuration, logger: Self.logger).apply()
        log = PostgresLog(
            configuration: configuration, listenConninfo: listening, limits: limits,
            announces: announces, logger: Self.logger)
        log.start(sink: sink)
        try await eventually("ready") { self.log.isReady }
    }

    static var logger: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    func stop() async { await Self.stop(log) }

    /// `stop` blocks, which a thread of the concurrency pool must not.
    static func stop(_ log: PostgresLog) async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                log.stop()
                continuation.resume()
            }
        }
    }

    /// The tests run at the same time, and a node has six connections.
    static let cluster = PostgresCluster(extraSettings: ["max_connections": "250"])

    /// A node on a database of its own.
    static func withFreshDatabase(limits: Limits = Limits()) async throws -> LogNode {
        try await LogNode(cluster.freshDatabase(), limits: limits)
    }

    /// Everything that the log keeps of a topic, as texts; fails the test unless the offsets are
    /// dense.
    func texts(of topic: TopicName) async throws -> [String] {
        let events = try await log.allEvents(of: topic)
        #expect(events.map(\.offset) == Array(1..<Offset(events.count + 1)))
        return events.map(\.text)
    }
}

/// Another program's connection to the same database.
struct Session {
    let connection: PostgresConnection

    init(_ conninfo: String) throws {
        connection = try PostgresConnection(PostgresConfiguration(conninfo: conninfo))
    }

    @discardableResult
    func ask(_ sql: String) throws -> PostgresResult { try connection.query(sql) }

    /// Ends the backends of a node's part, such as `node append`; returns how many there were.
    func terminate(_ name: String) throws -> Int {
        try ask(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = '\(name)' AND datname = current_database()
            """
        ).rowCount
    }
}

/// Looks at a condition until it holds.
func eventually(
    _ what: String, timeout: Duration = .seconds(30),
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + timeout
    while !(try await condition()) {
        try #require(ContinuousClock.now < deadline, "not \(what) in time")
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// A publisher that goes on until it is told to stop, and remembers what was acknowledged.
final class Publisher: Sendable {
    struct Report: Sendable {
        /// The offset of each acknowledged text.
        var acknowledged: [String: Offset] = [:]
        /// Texts of which it is not known whether they are in the log.
        var unknown: Set<String> = []
        /// Texts that are not in the log, as the answer said.
        var refused: Set<String> = []
    }

    private let isStopped = Mutex(false)
    private let report = Mutex(Report())
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(_ name: String, to topic: TopicName, of node: LogNode) {
        let task = Task { [self] in
            var number = 0
            while !isStopped.withLock({ $0 }) {
                number += 1
                await publish("\"\(name) \(number)\"", to: topic, of: node)
            }
        }
        self.task.withLock { $0 = task }
    }

    private func publish(_ text: String, to topic: TopicName, of node: LogNode) async {
        let result = await node.log.append([text], to: topic)
        report.withLock { report in
            switch result {
            case .success(let receipts): report.acknowledged[text] = receipts[0].first
            case .failure(let error) where error.committed == .unknown: report.unknown.insert(text)
            case .failure: report.refused.insert(text)
            }
        }
        // A refusal comes at once; asking in a tight loop would only burn the processor.
        if case .failure = result { await Task.yield() }
    }

    var acknowledgedCount: Int { report.withLock { $0.acknowledged.count } }

    func stop() async -> Report {
        isStopped.withLock { $0 = true }
        await task.withLock { $0 }?.value
        return report.withLock { $0 }
    }
}
