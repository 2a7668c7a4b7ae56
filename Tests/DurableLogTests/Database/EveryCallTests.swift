import DurableLog
import EventLogContract
import EventModel
import Logging
import PostgresBridge
import PostgresCluster
import Testing

/// A scripted run, again and again, in which the first call of a part to the database is lost, then
/// the second, and so on, until a run has no such call any more.
@Suite("A log that loses any one call to the database", .serialized) struct EveryCallTests {
    /// The parts, as their connections call themselves.
    static let roles = [
        "append", "topics", "announcer", "follower", "reader", "housekeeper",
    ]

    @Test(arguments: roles, LossPoint.allCases)
    func `ends with the same log and the right answers`(
        role: String, point: LossPoint
    ) async throws {
        try await forEveryCall { database, number in
            let calls = FailingCalls(of: role, number: number, at: point)
            let run = try ScriptedRun(name: "run\(number)", role: role, number: number, point)
            try await run.play(database, through: try calls.conninfo(before: database))
            return calls.hasFailed
        }
    }

    @Test(arguments: LossPoint.allCases)
    func `has its schema after another try`(point: LossPoint) async throws {
        try await forEveryCall { _, number in
            let database = try LogNode.cluster.freshDatabase()
            let calls = FailingCalls(of: "migrate", number: number, at: point)
            let migrator = Migrator(
                PostgresConfiguration(
                    conninfo: try calls.conninfo(before: database), applicationName: "node"),
                logger: LogNode.logger)
            do { _ = try await migrator.apply() } catch { _ = try await migrator.apply() }
            let node = try await LogNode(database)
            let topic = try TopicName("migrated")
            #expect(await node.log.append(["1"], to: topic).brief == ["1-1"])
            await node.stop()
            return calls.hasFailed
        }
    }

    @Test(arguments: LossPoint.allCases)
    func `still lets go what a lost call was to say is too much`(point: LossPoint) async throws {
        let calls = FailingCalls(of: "housekeeper", number: 1, at: point, saying: "make_due")
        try await letGo(calls, earliest: 4) { log, topic, _ in
            _ = try await log.append((1...5).map(String.init), to: topic).get()
        }
    }

    @Test func `still lets go what a drain appended whose answer was lost`() async throws {
        let calls = FailingCalls(of: "housekeeper", answered: ":1-7")
        try await letGo(calls, earliest: 6) { _, topic, session in
            try session.ask(
                "SELECT sluice.publish('\(topic)', n::text::json) FROM generate_series(1, 7) n")
        }
    }

    /// Of a topic that keeps two events, those below `earliest` go, although a call is lost on the
    /// way.
    private func letGo(
        _ calls: FailingCalls, earliest: Offset,
        after publish: (PostgresLog, TopicName, Session) async throws -> Void
    ) async throws {
        let database = try LogNode.cluster.freshDatabase()
        _ = try await Migrator(
            PostgresConfiguration(conninfo: database), logger: LogNode.logger
        ).apply()
        var limits = Limits()
        limits.retentionInterval = .milliseconds(100)
        let log = PostgresLog(
            configuration: PostgresConfiguration(
                conninfo: try calls.conninfo(before: database), applicationName: "node"),
            limits: limits, logger: LogNode.logger)
        log.start(sink: RecordingSink())
        try await eventually("ready") { log.isReady }
        let topic = try TopicName("short")
        var settings = TopicSettings()
        settings.retainCount = .limited(2)
        _ = try await log.create(topic, settings: settings)
        let session = try Session(database)
        // From then on nothing but the call looks at the topic again.
        try await eventually("looked at") {
            try session.ask("SELECT FROM sluice.retention WHERE due = 'infinity'").rowCount == 1
        }
        try await publish(log, topic, session)
        try await eventually("let go") {
            try await log.page(of: topic, after: 0).position.earliest == earliest
        }
        #expect(calls.hasFailed)
        session.connection.close()
        await LogNode.stop(log)
    }

    /// Runs that wait for something most of the time go on beside one another.
    private static let lanes = 4
    /// More runs than any part has calls.
    private static let runsMax = 400

    /// Calls a run for each call, until a run says that it had no such call.
    ///
    /// - Parameter run: Gets a database that no run uses at the same time, and the call's number.
    /// - Throws: What a run throws.
    private func forEveryCall(
        _ run: @escaping @Sendable (_ database: String, _ number: Int) async throws -> Bool
    ) async throws {
        let counts = try await withThrowingTaskGroup(of: Int.self) { group in
            for lane in 0..<Self.lanes {
                group.addTask {
                    let database = try LogNode.cluster.freshDatabase()
                    var index = lane
                    while index < Self.runsMax, try await run(database, Self.call(index)) {
                        index += Self.lanes
                    }
                    return index
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(counts.allSatisfy { $0 < Self.runsMax }, "the calls have no end")
        #expect(counts.contains { $0 >= Self.lanes }, "there are no calls")
    }

    /// The number of the call that a run loses.
    ///
    /// Housekeeping polls a hundred times a second: behind its first calls come the same few again
    /// and again, of which a step that has no factor in common with their number meets all.
    private static func call(_ index: Int) -> Int {
        index < 40 ? index + 1 : 40 + (index - 39) * 13
    }
}

/// Create, append, publish by SQL, page, follow, resume, let go, drain.
private struct ScriptedRun {
    let facts: String
    let made: TopicName
    let used: TopicName
    let short: TopicName

    init(name: String, role: String, number: Int, _ point: LossPoint) throws {
        facts = "call \(number) of \(role), lost at \(point)"
        made = try TopicName("\(name).made")
        used = try TopicName("\(name).used")
        short = try TopicName("\(name).short")
    }

    func play(_ database: String, through conninfo: String) async throws {
        _ = try await Migrator(
            PostgresConfiguration(conninfo: database), logger: LogNode.logger
        ).apply()
        var limits = Limits()
        limits.retentionInterval = .milliseconds(100)
        let log = PostgresLog(
            configuration: PostgresConfiguration(conninfo: conninfo, applicationName: "node"),
            limits: limits, announces: true, logger: LogNode.logger)
        let sink = RecordingSink()
        log.start(sink: sink)
        try await eventually("ready, \(facts)") { log.isReady }
        try await createTopics(log)
        try await publish(log, sink, database)
        try await read(log, sink)
        await LogNode.stop(log)
        try await compare(sink, database)
    }

    private func createTopics(_ log: PostgresLog) async throws {
        var settings = TopicSettings()
        try await create(made, settings, log)
        settings.retainCount = .limited(2)
        try await create(short, settings, log)
    }

    private func create(
        _ topic: TopicName, _ settings: TopicSettings, _ log: PostgresLog
    ) async throws {
        try await answered {
            do {
                _ = try await log.create(topic, settings: settings)
            } catch let error as BrokerError where error.code == .topicExists {
                // A creation whose answer was lost has come to pass.
            }
        }
    }

    private func publish(
        _ log: PostgresLog, _ sink: RecordingSink, _ database: String
    ) async throws {
        try await append(["1"], to: made, log)
        try await append(["1"], to: used, log)
        try await answered {
            try await log.follow([made, used], sink: sink)
        }
        for number in 2...4 { try await append(["\(number)", "\"\(number)\""], to: made, log) }
        for number in 1...5 { try await append(["\(number)"], to: short, log) }
        let user = try Session(database)
        try user.ask("SELECT sluice.publish('\(used)', '2'::json, wake => true)")
        let isDrained = await sink.wait(for: 1, of: used)
        #expect(isDrained, "\(facts)")
        user.connection.close()
    }

    private func read(_ log: PostgresLog, _ sink: RecordingSink) async throws {
        try await eventually("retention, \(facts)") {
            (try? await log.page(of: short, after: 0).position.earliest) == 4
        }
        let page = try await answered { try await log.page(of: made, after: 5) }
        #expect(page.events.map(\.text) == ["4", "\"4\""], "\(facts)")
        let start = try await answered {
            try await log.offsets(of: [made], at: Timestamp(microseconds: 0))
        }
        #expect(start == [made: 1], "\(facts)")
        let epoch = page.position.epoch
        let cursors = [made: Cursor(epoch: epoch, offset: 3)]
        let resumed = try await answered { try await log.resume(cursors) }
        #expect(resumed == [made: .goesOn], "\(facts)")
        let described = try await answered { try await log.describe(made)?.position.latest }
        #expect(described == 7, "\(facts)")
        let isFollowed = await sink.wait(for: 6, of: made)
        #expect(isFollowed, "\(facts)")
    }

    private func compare(_ sink: RecordingSink, _ database: String) async throws {
        let numbers = (2...4).flatMap { ["\($0)", "\"\($0)\""] }
        let other = try await LogNode(database, name: "other")
        #expect(try await other.texts(of: made) == ["1"] + numbers, "\(facts)")
        #expect(try await other.texts(of: used) == ["1", "2"], "\(facts)")
        let kept = try await other.log.allEvents(of: short)
        #expect(kept.map(\.text) == ["4", "5"], "\(facts)")
        #expect(sink.heard.events[made]?.map(\.text) == numbers, "\(facts)")
        #expect(sink.heard.events[used]?.map(\.text) == ["2"], "\(facts)")
        #expect(sink.heard.restarts.isEmpty, "\(facts)")
        await other.stop()
    }

    /// Publishes with a key until it is answered.
    private func append(_ texts: [String], to topic: TopicName, _ log: PostgresLog) async throws {
        try await answered {
            _ = try await log.append(texts, to: topic, key: texts[0]).get()
        }
    }

    /// Asks again for as long as the answer says that this may help.
    @discardableResult
    private func answered<Value>(
        _ ask: () async throws -> Value
    ) async throws -> Value {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            do {
                return try await ask()
            } catch let error as BrokerError {
                let mayRetry = error.retryAfter != nil || error.committed == .unknown
                guard mayRetry, ContinuousClock.now < deadline else {
                    Issue.record("\(facts): \(error)")
                    throw error
                }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }
}
