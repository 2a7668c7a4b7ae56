import DurableLog
import EventLogContract
import EventModel
import PostgresBridge
import PostgresCluster
import Synchronization
import Testing

@Suite("Reads of a database that is busy") struct BusyDatabaseTests {
    let topic: TopicName

    init() throws { topic = try TopicName("busy") }

    func node() async throws -> LogNode {
        let node = try await LogNode.withFreshDatabase()
        await node.log.append(["1"], to: topic)
        return node
    }

    func refusal(_ node: LogNode) async -> BrokerError? {
        await #expect(throws: BrokerError.self) { try await node.log.page(of: topic, after: 0) }
    }

    @Test func `are refused when a lock is held, and may be tried again`() async throws {
        let node = try await node()
        let session = try Session(node.conninfo)
        try session.ask("BEGIN")
        try session.ask("LOCK TABLE sluice.events IN ACCESS EXCLUSIVE MODE")
        let start = ContinuousClock.now
        let error = await refusal(node)
        #expect(error?.code == .databaseUnavailable)
        #expect(error?.retryAfter != nil)
        #expect(ContinuousClock.now - start < .seconds(15))
        try session.ask("ROLLBACK")
        #expect(try await node.log.page(of: topic, after: 0).events.count == 1)
        await node.stop()
    }

    @Test(arguments: ["55P03", "57014", "53100", "53200", "53400"])
    func `are refused with what passes by itself`(state: String) async throws {
        let node = try await node()
        try fail(node, with: state)
        let error = await #expect(throws: BrokerError.self) {
            try await node.log.offsets(of: [topic], at: Timestamp(microseconds: 0))
        }
        #expect(error?.code == .databaseUnavailable)
        #expect(error?.retryAfter != nil)
        await node.stop()
    }

    @Test func `are an error of ours with anything else`() async throws {
        let node = try await node()
        try fail(node, with: "22012")
        let error = await #expect(throws: BrokerError.self) {
            try await node.log.offsets(of: [topic], at: Timestamp(microseconds: 0))
        }
        #expect(error?.code == .internal)
        await node.stop()
    }

    /// Makes the search for an offset fail.
    private func fail(_ node: LogNode, with state: String) throws {
        try Session(node.conninfo).ask(
            """
            CREATE OR REPLACE FUNCTION sluice.offset_at(expected text, topic int, at timestamptz)
            RETURNS bigint LANGUAGE plpgsql STABLE AS $$BEGIN
              RAISE EXCEPTION 'not now' USING ERRCODE = '\(state)';
            END$$
            """)
    }

    @Test func `do not wait for tokens, nor tokens for them`() async throws {
        let node = try await node()
        let session = try Session(node.conninfo)
        for (locked, other) in [("tokens", "events"), ("events", "tokens")] {
            try session.ask("BEGIN")
            try session.ask("LOCK TABLE sluice.\(locked) IN ACCESS EXCLUSIVE MODE")
            let answers = await withTaskGroup(of: String.self) { group in
                for number in 0..<6 {
                    group.addTask {
                        _ = await find("\(1_000_000_000 + number)", node)
                        return "tokens"
                    }
                    group.addTask {
                        _ = try? await node.log.page(of: topic, after: Offset(number))
                        return "events"
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.prefix(6) == Array(repeating: other, count: 6)[...])
            try session.ask("ROLLBACK")
        }
        await node.stop()
    }

    @Test func `look all tokens up together that wait`() async throws {
        let node = try await node()
        let session = try Session(node.conninfo)
        try session.ask("BEGIN")
        try session.ask("LOCK TABLE sluice.tokens IN ACCESS EXCLUSIVE MODE")
        let start = ContinuousClock.now
        // Each statement waits for the lock for a second: 200 of them would take minutes.
        let codes = await withTaskGroup(of: ErrorCode?.self) { group in
            for number in 0..<200 {
                group.addTask { await find("\(1_000_000_000 + number)", node)?.code }
            }
            return await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(codes == [.databaseUnavailable])
        #expect(ContinuousClock.now - start < .seconds(30))
        try session.ask("ROLLBACK")
        await node.stop()
    }

    @Test func `are one question for all who come back at once`() async throws {
        var limits = Limits()
        limits.readerCount = 1
        limits.readsWaitingMax = 4
        limits.lockTimeout = .seconds(30)
        let node = try await LogNode.withFreshDatabase(limits: limits)
        let epoch = try await node.log.append(["1"], to: topic).get()[0].epoch
        let mark = try await node.log.mark()
        let session = try Session(node.conninfo)
        try session.ask("BEGIN")
        try session.ask("LOCK TABLE sluice.marker IN ACCESS EXCLUSIVE MODE")
        // The only reader waits for the lock; more than four questions would be refused.
        async let first = node.log.mark()
        try await eventually("a reader that waits") {
            try Session(node.conninfo).ask(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation IS NOT NULL"
            ).int8(0, 0) > 0
        }
        let answers = Mutex<[String]>([])
        for number in 0..<200 {
            let cursor = Cursor(epoch: epoch, offset: Offset(number % 2))
            node.log.resume([topic: cursor]) { result in
                answers.withLock { $0.append("\((try? result.get().topics) == [topic: .goesOn])") }
            }
            node.log.offsets(of: [topic], asOf: mark) { result in
                answers.withLock { $0.append("\((try? result.get().topics) == [topic: 2])") }
            }
            node.log.mark { result in
                answers.withLock {
                    $0.append("\((try? result.get())?.incarnation == mark.incarnation)")
                }
            }
        }
        try session.ask("ROLLBACK")
        _ = try await first
        try await eventually("all answers") { answers.withLock { $0.count } == 600 }
        #expect(answers.withLock { Set($0) } == ["true"])
        await node.stop()
    }

    /// The error of a look-up.
    private func find(_ id: String, _ node: LogNode) async -> BrokerError? {
        await withCheckedContinuation { continuation in
            node.log.find(id: id) { result in
                switch result {
                case .success: continuation.resume(returning: nil)
                case .failure(let error): continuation.resume(returning: error)
                }
            }
        }
    }
}
