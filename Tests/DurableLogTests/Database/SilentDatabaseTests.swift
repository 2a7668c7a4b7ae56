import AccessControl
import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import PostgresCluster
import Testing

/// Ten hosts take connections and say nothing: to try them all takes minutes.
@Suite("A log whose database says nothing") struct SilentDatabaseTests {
    let server = SilentServer()

    func isRefused(_ code: ErrorCode?, since start: ContinuousClock.Instant) -> Bool {
        code == .databaseUnavailable && ContinuousClock.now - start < .seconds(8)
    }

    @Test func `refuses reads and look-ups in time, the waiting ones too`() async throws {
        let log = PostgresLog(
            configuration: PostgresConfiguration(conninfo: server.conninfo(hosts: 10)),
            logger: LogNode.logger)
        log.start(sink: RecordingSink())
        let topic = try TopicName("silent")
        let start = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for number in Offset(0)..<10 {
                group.addTask {
                    let error = await #expect(throws: BrokerError.self) {
                        try await log.page(of: topic, after: number)
                    }
                    #expect(isRefused(error?.code, since: start))
                }
                group.addTask {
                    let found = await withCheckedContinuation { continuation in
                        log.find(id: "\(number)") { continuation.resume(returning: $0) }
                    }
                    let error = #expect(throws: BrokerError.self) { try found.get() }
                    #expect(isRefused(error?.code, since: start))
                }
            }
        }
        await LogNode.stop(log)
    }

    @Test func `refuses to follow in time, and is stopped in time`() async throws {
        // Everything but the follower has a database, so that only its way up is silent.
        let conninfo = try LogNode.cluster.freshDatabase()
        let configuration = PostgresConfiguration(conninfo: conninfo)
        _ = try await Migrator(configuration, logger: LogNode.logger).apply()
        let log = PostgresLog(
            configuration: configuration, listenConninfo: server.conninfo(hosts: 10),
            logger: LogNode.logger)
        let sink = RecordingSink()
        log.start(sink: sink)
        let topic = try TopicName("silent")
        try await eventually("appended") { await log.append(["1"], to: topic).error == nil }
        var start = ContinuousClock.now
        let error = await #expect(throws: BrokerError.self) {
            try await log.follow([topic], sink: sink)
        }
        #expect(isRefused(error?.code, since: start))
        start = .now
        await LogNode.stop(log)
        #expect(ContinuousClock.now - start < .seconds(8))
    }
}
