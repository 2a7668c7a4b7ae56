import DurableLog
import EventLogContract
import EventModel
import NetworkFaults
import PostgresBridge
import PostgresCluster
import Synchronization
import Testing

@Suite("A node's own rows of the journal") struct OwnJournalTests {
    /// Rows that are settled between a poll's departure and its snapshot may be read; no others.
    @Test func `are not read again`() async throws {
        let database = try LogNode.cluster.freshDatabase()
        _ = try await Migrator(
            PostgresConfiguration(conninfo: database), logger: LogNode.logger
        ).apply()
        let reads = JournalReads()
        let log = PostgresLog(
            configuration: PostgresConfiguration(
                conninfo: try reads.conninfo(before: database), applicationName: "node"),
            logger: LogNode.logger)
        log.start(sink: RecordingSink())
        try await eventually("ready") { log.isReady }
        let topic = try TopicName("own")
        for number in 1...200 {
            #expect(await log.append(["\(number)"], to: topic).error == nil)
        }
        let polls = reads.counts.polls
        try await eventually("two more polls") { reads.counts.polls >= polls + 2 }
        let counts = reads.counts
        #expect(counts.rows < 100, "\(counts)")
        await LogNode.stop(log)
    }
}

/// Counts, on the follower's connections, the polls of the journal and the rows that they bring.
private final class JournalReads: Sendable {
    struct Counts {
        var polls = 0
        var rows = 0
    }

    private let state = Mutex(Counts())
    private let proxy = Mutex<SwitchProxy?>(nil)

    var counts: Counts { state.withLock { $0 } }

    func count(_ change: (inout Counts) -> Void) { state.withLock { change(&$0) } }

    func conninfo(before conninfo: String) throws -> String {
        let server = ServerAddress(conninfo)
        let proxy = try SwitchProxy(to: .socket(server.socket)) { [weak self] in
            self.map(JournalWatch.init)
        }
        self.proxy.withLock { $0 = proxy }
        return "host=127.0.0.1 port=\(proxy.port) sslmode=disable gssencmode=disable \(server.rest)"
    }
}

private struct JournalWatch: LinkWatch {
    let reads: JournalReads
    private var isFollower = false
    private var isPolling = false

    init(reads: JournalReads) { self.reads = reads }

    mutating func up(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let text = String(decoding: bytes, as: UTF8.self)
        if text.contains("node follower\0") { isFollower = true }
        isPolling = text.contains("sluice.follow(")
        if isFollower, isPolling { reads.count { $0.polls += 1 } }
        return bytes
    }

    mutating func down(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard isFollower, isPolling else { return bytes }
        // The parts of a row, `topic:first-last`, for one event each.
        let rows = String(decoding: bytes, as: UTF8.self).matches(of: /[0-9]+:[0-9]+-[0-9]+/)
        reads.count { $0.rows += rows.count }
        return bytes
    }
}
