internal import EventModel
internal import Glibc
internal import NIOHTTP1
internal import PostgresBridge
internal import RepeatableChance
internal import SessionProtocol
internal import SluiceClient
internal import Synchronization
internal import Transport

/// One run of the fault test: publishers, subscribers, faults from a seed, and what came of it.
package struct FaultRun {
    package struct Report: Sendable {
        package var counts: Ledger.Counts
        package var violations: [String]
        package var faults: [Fault.Kind: Int]
    }

    private let seed: UInt64
    private let duration: Duration
    private let program: String
    private let kinds: Set<Fault.Kind>
    private let diary: Diary

    private static let stable = ["stable.a", "stable.b", "stable.c"]
    private static let churn = ["churn.a", "churn.b", "churn.c"]
    private static let ephemeral = ["ephemeral.a", "ephemeral.b"]
    /// Keeps its newest events only.
    private static let bounded = "bounded.a"

    /// - Parameters:
    ///   - seed: What faults and publishers are drawn from.
    ///   - duration: How long faults come.
    ///   - program: The path of the executable `sluice`.
    ///   - kinds: What may go wrong.
    ///   - isQuiet: Nothing is printed.
    package init(
        seed: UInt64, duration: Duration, program: String,
        kinds: Set<Fault.Kind> = Set(Fault.Kind.allCases),
        isQuiet: Bool = false
    ) {
        self.seed = seed
        self.duration = duration
        self.program = program
        self.kinds = kinds
        diary = Diary(isQuiet: isQuiet)
    }

    /// Runs it, within `duration` and at most some minutes for the end.
    ///
    /// - Throws: When the scene can't be set.
    package func run() async throws -> Report {
        let scene = try await onThread { try Scene(program: program, diary: diary) }
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await play(scene)) } catch { outcome = .failure(error) }
        await onThread { scene.end() }
        try outcome.get()
        let faults = diary.faultCounts
        return diary.change { ledger in
            Report(counts: ledger.counts, violations: ledger.violations, faults: faults)
        }
    }

    private func play(_ scene: Scene) async throws {
        try await onThread {
            let connection = try scene.connect()
            defer { connection.close() }
            try connection.script(
                """
                SELECT sluice.alter_topic(topic_id, '{"retain_count": 200}')
                FROM sluice.create_topics('{\(Self.bounded)}')
                """)
        }
        try await createEphemeral(scene)
        var missing = Set(Fault.Kind.allCases).subtracting(kinds)
        if !scene.database.haveOwnDisks {
            diary.note("no full disk: this process may not mount one")
            missing.insert(.diskFull)
        }
        if scene.database.clock == nil {
            diary.note("no steps of the database's clock: there is no C compiler")
            missing.insert(.clockSetBack)
        }
        var chance = SeededGenerator(seed: seed)
        let schedule = FaultSchedule(
            seed: chance.next(), duration: duration, brokers: scene.nodes.count, without: missing)
        let readers = Readers(diary: diary)
        let plan = PublisherPlan(
            doors: scene.doors, topics: Self.stable + Self.churn + [Self.bounded], diary: diary,
            pace: Pace(pause: Self.pauseMin))
        let reading = subscribers(scene, readers, &chance)
        let publishing = publishers(scene, plan, &chance)
        try await withFaults(scene, plan.pace, schedule, chance.fork())
        plan.pace.stop()
        try await end(scene, publishing, reading, readers)
    }

    private func createEphemeral(_ scene: Scene) async throws {
        var connection: HTTPClientConnection?
        for topic in Self.ephemeral {
            let (head, _) = try await scene.door(0).ask(
                .PUT, "/v1/topics/\(topic)", headers: ["Content-Type": "application/json"],
                body: Array(#"{"durable":false}"#.utf8), over: &connection)
            guard head.status == .created else { throw SceneFailure("\(topic): \(head.status)") }
        }
    }

    // MARK: Who takes part

    /// Tasks and threads that publish until the plan ends.
    private func publishers(
        _ scene: Scene, _ plan: PublisherPlan, _ chance: inout SeededGenerator
    ) -> [Task<Void, Never>] {
        var tasks: [Task<Void, Never>] = []
        for id in Self.singles {
            let own = chance.fork()
            tasks.append(
                Task {
                    var publisher = SinglePublisher(id: id, plan: plan, chance: own)
                    await publisher.run()
                })
        }
        for id in Self.batches {
            let own = chance.fork()
            tasks.append(
                Task { [diary] in
                    var publisher = BatchPublisher(id: id, plan: plan, chance: own)
                    do { try await publisher.run() } catch { diary.violated("no client: \(error)") }
                })
        }
        for id in Self.sessions {
            let own = chance.fork()
            tasks.append(
                Task {
                    var publisher = SessionPublisher(id: id, plan: plan, chance: own)
                    await publisher.run()
                })
        }
        // Of a deleted topic nobody would know whether it had what SQL committed.
        let lasting = plan.on(Self.stable + Self.ephemeral)
        for id in Self.transactions {
            let own = chance.fork()
            tasks.append(
                Task {
                    await onThread {
                        var publisher = SQLPublisher(
                            id: id, plan: lasting, conninfo: { scene.conninfo }, chance: own)
                        publisher.run()
                    }
                })
        }
        for id in Self.fleeting {
            let own = chance.fork()
            tasks.append(
                Task {
                    var publisher = EphemeralPublisher(
                        id: id, plan: plan.on(Self.ephemeral), isInSessions: id % 2 == 0,
                        chance: own)
                    await publisher.run()
                })
        }
        return tasks
    }

    private static let singles: [UInt16] = [1, 2, 3, 4]
    private static let batches: [UInt16] = [11, 12]
    private static let sessions: [UInt16] = [21, 22]
    private static let transactions: [UInt16] = [31, 32]
    private static let fleeting: [UInt16] = [41, 42]
    private static let last: UInt16 = 99
    /// Who waits for each answer before the next publish.
    private static let ordered = Set(singles + batches + transactions)

    /// Tasks that read until they are cancelled or stopped.
    private func subscribers(
        _ scene: Scene, _ readers: Readers, _ chance: inout SeededGenerator
    ) -> [Task<Void, Never>] {
        var tasks: [Task<Void, Never>] = []
        let clients: [(String, [String], String, Duration?)] = [
            ("client on all", [">"], "earliest", nil),
            ("client on stable", ["stable.*"], "earliest", nil),
            ("slow client", ["churn.*", Self.bounded], "earliest", .milliseconds(12)),
            ("client on ephemeral", ["ephemeral.*"], "latest", nil),
        ]
        for (index, (name, patterns, start, pause)) in clients.enumerated() {
            add(name, patterns, start, to: readers)
            let reader = ClientReader(
                name: name, patterns: patterns, start: start,
                door: scene.door(index % scene.nodes.count), pause: pause, readers: readers)
            tasks.append(Task { await reader.run() })
        }
        let sessions: [(String, [String], String, Int?)] = [
            ("session on all", [">"], "earliest", nil),
            ("session on exact topics", [Self.bounded, "stable.b", "churn.a"], "latest", nil),
            ("slow session", ["*.a"], "earliest", 50_000),
        ]
        for (name, patterns, start, speed) in sessions {
            let parsed = add(name, patterns, start, to: readers)
            guard let start = try? StartPosition(start) else { continue }
            let own = chance.fork()
            tasks.append(
                Task {
                    var reader = SessionReader(
                        name: name, patterns: parsed, start: start, doors: scene.doors,
                        bytesPerSecond: speed, readers: readers, chance: own)
                    await reader.run()
                })
        }
        let follows: [(String, String, String, UInt32?)] = [
            ("follow-stable", "stable.c", "earliest", nil),
            ("follow-churn", "churn.b", "earliest", nil),
            ("follow-ephemeral", "ephemeral.b", "latest", nil),
            ("slow-follow", Self.bounded, "earliest", 60_000),
        ]
        for (name, topic, start, pause) in follows {
            add(name, [topic], start, to: readers)
            guard let topic = try? TopicName(topic) else { continue }
            let own = chance.fork()
            tasks.append(
                Task {
                    await onThread {
                        var reader = FollowReader(
                            name: name, topic: topic, start: start, doors: scene.doors,
                            pauseMicroseconds: pause, directory: scene.directory, readers: readers,
                            chance: own)
                        reader.run()
                    }
                })
        }
        return tasks
    }

    @discardableResult
    private func add(
        _ name: String, _ patterns: [String], _ start: String, to readers: Readers
    ) -> [TopicPattern] {
        let parsed = patterns.compactMap { try? TopicPattern($0) }
        readers.add(
            SubscriberCheck(name: name, patterns: parsed, isFromEarliest: start == "earliest"))
        return parsed
    }

    // MARK: Its course

    /// Performs the schedule, changes topics and reads the log meanwhile.
    private func withFaults(
        _ scene: Scene, _ pace: Pace, _ schedule: FaultSchedule, _ chance: SeededGenerator
    ) async throws {
        let deadline = ContinuousClock.now + duration
        async let faults: Void = onThread {
            FaultPerformer(scene: scene, diary: diary).perform(schedule, until: deadline)
        }
        async let changes: Void = {
            var changes = TopicChanges(
                scene: scene, diary: diary, topics: Self.churn, bounded: Self.bounded,
                chance: chance)
            while ContinuousClock.now < deadline {
                try? await Task.sleep(for: .milliseconds(changes.chance.pick(1000...6000)))
                await changes.change()
            }
        }()
        async let reads: Void = onThread {
            var reader = LogReader(diary: diary, ordered: Self.ordered)
            var effort = Effort()
            var said = ContinuousClock.now
            while ContinuousClock.now < deadline {
                usleep(2_000_000)
                if let connection = try? scene.connect() {
                    try? reader.read(connection)
                    connection.close()
                }
                pace.pause = min(
                    max(pace.pause * (effort.share() / Self.shareMax), Self.pauseMin),
                    .milliseconds(500))
                if ContinuousClock.now - said > .seconds(60) {
                    said = .now
                    let faultCount = diary.faultCounts.values.reduce(0, +)
                    diary.note(
                        "\(faultCount) faults. \(diary.change { Self.words($0.counts) }). "
                            + effort.words(bytesOnDisk: scene.database.bytesOnDisk))
                }
            }
        }
        _ = await (faults, changes, reads)
    }

    /// Between two publishes of one publisher.
    private static let pauseMin = Duration.milliseconds(20)
    /// Of one core: publishers become slower rather than take more for themselves and the checks.
    private static let shareMax = 0.4

    /// Everybody finishes; then the log and the subscribers are compared.
    private func end(
        _ scene: Scene, _ publishing: [Task<Void, Never>], _ reading: [Task<Void, Never>],
        _ readers: Readers
    ) async throws {
        diary.note("faults are over; publishers finish")
        let impatience = Task {
            try await Task.sleep(for: .seconds(90))
            for task in publishing { task.cancel() }
        }
        for task in publishing { await task.value }
        impatience.cancel()
        readers.hurry()
        try await onThread { try drained(scene) }
        diary.note("everything is published; subscribers catch up")
        let lastOnes = try await publishLastOnes(scene)
        let heads = try await onThread {
            let connection = try scene.connect()
            defer { connection.close() }
            var reader = LogReader(diary: diary, ordered: Self.ordered)
            try reader.read(connection, isAll: true)
            return diary.change { $0.heads }
        }.merging(lastOnes) { $1 }
        let patience = ContinuousClock.now + .seconds(120)
        while !readers.unseen(of: heads).isEmpty, ContinuousClock.now < patience {
            try await Task.sleep(for: .milliseconds(100))
        }
        for words in readers.unseen(of: heads) { diary.violated(words) }
        readers.stop()
        for task in reading { task.cancel() }
        for task in reading { await task.value }
        try await onThread {
            let connection = try scene.connect()
            defer { connection.close() }
            var reader = LogReader(diary: diary, ordered: Self.ordered)
            try reader.read(connection, isAll: true)
        }
        diary.change { $0.settle() }
    }

    /// An event to each ephemeral topic, which everybody sees, or is told as lost.
    ///
    /// - Returns: Where they are.
    private func publishLastOnes(_ scene: Scene) async throws -> [String: Place] {
        var connection: HTTPClientConnection?
        var heads: [String: Place] = [:]
        var number: Int64 = 0
        while heads.count < Self.ephemeral.count, number < 100 {
            number += 1
            guard let topic = Self.ephemeral.first(where: { heads[$0] == nil }) else { break }
            let tag = EventTag(topic: topic, publisher: Self.last, number: number)
            let answer = await scene.door(0).post(
                "/v1/topics/\(topic)/events", type: "application/json", key: nil,
                body: tag.data(), over: &connection)
            if case .created(let fields) = answer, let text = fields.text("cursor"),
                let place = Cursor(text).flatMap({ Place($0, of: topic) })
            {
                diary.change { $0.acknowledged(tag, at: place) }
                heads[topic] = place
            } else {
                diary.change { $0.mayBeEmitted(tag) }
                try await Task.sleep(for: .milliseconds(200))
            }
        }
        return heads
    }

    /// Waits until what SQL published is in the log.
    private func drained(_ scene: Scene) throws {
        let connection = try scene.connect()
        defer { connection.close() }
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let waiting = try connection.query(
                """
                SELECT (SELECT count(*) FROM sluice.outbox)
                     + (SELECT count(*) FROM sluice.outbox_waiting)
                """, timeout: .seconds(30)
            ).int8(0, 0)
            if waiting == 0 { break }
            guard ContinuousClock.now < deadline else {
                diary.violated("\(waiting) events of SQL publishers are not in the log")
                break
            }
            usleep(50_000)
        }
        let dead = try connection.query(
            "SELECT reason, count(*) FROM sluice.outbox_dead GROUP BY 1", timeout: .seconds(30))
        for row in 0..<dead.rowCount {
            diary.violated("\(dead.int8(row, 1)) events of SQL are dead: \(dead.text(row, 0))")
        }
    }

    /// The counts as a line.
    package static func words(_ counts: Ledger.Counts) -> String {
        "acknowledged \(counts.acknowledged), refused \(counts.refused), stored \(counts.stored), "
            + "of ephemeral topics \(counts.emitted), seen \(counts.seen), gaps told \(counts.gaps), resets told \(counts.resets), "
            + "topic changes \(counts.topicChanges)"
    }
}

/// Blocking work on a thread of its own.
func onThread<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        _ = PostgresThread(name: "fault-test") { continuation.resume(with: Result { try body() }) }
    }
}

/// Blocking work on a thread of its own.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
        _ = PostgresThread(name: "fault-test") { continuation.resume(returning: body()) }
    }
}

extension FaultRun {
    /// A program that the build puts beside this one.
    package static func neighbour(_ name: String) -> String {
        var path = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        let own = String(
            decoding: path[..<max(count, 0)].map(UInt8.init(bitPattern:)), as: UTF8.self)
        return "/" + own.split(separator: "/").dropLast().joined(separator: "/") + "/\(name)"
    }
}
