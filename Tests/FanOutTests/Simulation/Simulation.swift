import RepeatableChance

internal import EventModel
internal import FanOut
internal import Foundation

/// One loop's fan-out in a world that is drawn from a seed: a log to which everything happens,
/// reads and follows that take their time or fail, and sessions that come, block and go.
final class Simulation: FanOutActor {
    static let topics = ["a.1", "a.2", "a.3", "b.1", "b.2", "c", "e.1", "e.2"].compactMap {
        try? TopicName($0)
    }
    static let patterns = [
        "a.1", "a.2", "b.1", "c", "e.1", "a.*", "b.*", "e.*", "*.1", "*.2", ">",
    ].compactMap { try? TopicPattern($0) }
    /// What topics have as their own.
    static let policies: [String: OverflowPolicy] = [
        "a.2": .conflate, "b.1": .dropOldest, "b.2": .disconnect, "e.2": .conflate,
    ]
    private static let bigEventBytes = 1800

    private enum Request: CustomStringConvertible {
        case follow([TopicName], FollowAnswer)
        case unfollow([TopicName])
        case followMatching([TopicPattern], () -> Void)
        case unfollowMatching([TopicPattern])

        var description: String {
            switch self {
            case .follow(let topics, _): "follow \(topics)"
            case .unfollow(let topics): "unfollow \(topics)"
            case .followMatching(let patterns, _): "follow matching \(patterns)"
            case .unfollowMatching(let patterns): "unfollow matching \(patterns)"
            }
        }
    }

    private struct Read {
        let topic: TopicName
        let after: Offset
        var page: ReplayPage?
    }

    private(set) lazy var shard = FanOutShard(
        limits: limits, actor: self, clock: { [unowned self] in now })
    var log: SimulatedLog
    /// Where the loop was told that topics stand.
    private(set) var stands: [TopicName: TopicPosition] = [:]
    /// As the hub counts: the loop's feed of each topic, and questions that are under way.
    private var interest: [TopicName: Int] = [:]
    private(set) var violations: [String] = []
    private(set) var counts: [String: Int] = [:]
    /// Prints what happens, a line each, as it happens: a trap would take a history with it.
    private let isTold: Bool
    private var stepNumber = 0
    private var sessionCount = 0
    private(set) var digest = SimulationDigest()
    private let limits: Limits
    private var random: SeededGenerator
    private var now = ContinuousClock.now
    private var wanted: [TopicPattern: Int] = [:]
    private(set) var walkTopicsMax: Int
    private var sessions: [SimulatedSession] = []
    private var requests: [Request] = []
    private var reads: [Read] = []
    private var pages: [Read] = []
    private var isFlushScheduled = false
    /// When the loop's timer is due.
    private var wakeTime: ContinuousClock.Instant?
    /// In the end, nothing fails any more.
    private var isEnding = false

    init(seed: UInt64, isTold: Bool = false) {
        self.isTold = isTold
        random = SeededGenerator(seed: seed)
        var limits = Limits()
        limits.recentEventsBytesMax = random.pick([0, 300, 1500, 20_000])
        limits.backlogsBytesMax = random.pick([1500, 4000, 1 << 20])
        self.limits = limits
        walkTopicsMax = random.pick(1...5)
        log = SimulatedLog(
            pageEventsMax: random.pick(1...8), pageBytesMax: random.pick(100...600))
    }

    func run(steps: Int) {
        for number in 1...steps {
            stepNumber = number
            step()
            turn()
            for session in sessions where session.subscriber.takeOverflow() {
                counts["overflow", default: 0] += 1
                reconnect(session)
            }
            check()
        }
        stepNumber = steps + 1
        note("everything comes to rest")
        end()
        for session in sessions { close(session, isFinished: true) }
    }

    func note(_ line: @autoclosure () -> String) {
        guard isTold else { return }
        print("\(stepNumber) \(line())")
        fflush(nil)
    }

    // MARK: FanOutActor

    func scheduleFlush() { isFlushScheduled = true }
    func scheduleFlushLater() { isFlushScheduled = true }
    func scheduleWake(at time: ContinuousClock.Instant) { wakeTime = time }
    func follow(_ topics: [TopicName]) { follow(topics) { _ in } }

    func follow(_ topics: [TopicName], _ answer: @escaping FollowAnswer) {
        for topic in topics { interest[topic, default: 0] += 1 }
        requests.append(.follow(topics.sorted { $0.text < $1.text }, answer))
    }

    func unfollow(_ topics: [TopicName]) {
        let abandoned = topics.filter { topic in
            guard let count = interest[topic] else { return false }
            interest[topic] = count > 1 ? count - 1 : nil
            return count == 1
        }
        if !abandoned.isEmpty { requests.append(.unfollow(abandoned.sorted { $0.text < $1.text })) }
    }

    func followMatching(_ patterns: [TopicPattern], _ answer: @escaping () -> Void) {
        requests.append(.followMatching(patterns, answer))
    }

    // The log follows a pattern until the loop has no group with it.
    func patternsCame(_ patterns: [TopicPattern]) {
        for pattern in patterns { wanted[pattern, default: 0] += 1 }
    }

    func patternsWent(_ patterns: [TopicPattern]) {
        for pattern in patterns {
            wanted[pattern, default: 1] -= 1
        }
    }

    func overflow(of topic: TopicName) -> OverflowPolicy? { Self.policies[topic.text] }

    func read(_ topic: TopicName, after: Offset, pages: Int, in encoding: Encoding) {
        if log.life(of: topic)?.isEphemeral == true {
            violations.append("\(topic) has no log to read")
        }
        // Sorted, because sessions ask in no order.
        let read = Read(topic: topic, after: after)
        let index = reads.firstIndex { ($0.topic.text, $0.after) > (topic.text, after) }
        reads.insert(read, at: index ?? reads.count)
    }

    // MARK: A step

    private func step() {
        switch random.pick(1...100) {
        case 1...20:
            let bytes = (0..<random.pick(1...5)).map { _ in
                random.chance(2) ? Self.bigEventBytes : random.pick(40...120)
            }
            let topic = random.pick(Self.topics)
            log.append(to: topic, bytes: bytes)
            note("log: \(topic) gets \(bytes.count), up to \(log.life(of: topic)?.latest ?? 0)")
        case 21...35:
            log.tell(
                random.pick(Self.topics), count: random.pick(1...6), isRead: random.chance(50))
        case 36...52: for _ in 0..<random.pick(1...4) { deliver() }
        case 53...58: answerRequest()
        case 59...66: readPage()
        case 67...74: pageArrives()
        case 75...86: if !sessions.isEmpty { random.pick(sessions).takeBytes() }
        case 87...95: sessionStep()
        case 96: tick()
        case 97:
            now += .milliseconds(random.pick(1...300))
            wake()
        default: logStep()
        }
    }

    private func sessionStep() {
        guard !sessions.isEmpty, !(sessions.count < 4 && random.chance(20)) else {
            return connect()
        }
        let session = random.pick(sessions)
        switch random.pick(1...12) {
        case 1...3: session.subscribe(resuming: [:])
        case 4: session.unsubscribe()
        case 5: reconnect(session)
        case 6: session.grantSome()
        case 7: session.changeRate()
        default: session.proceed()
        }
    }

    private func connect() {
        var limits = limits
        limits.backlogBytesMax = random.pick(150...1500)
        limits.pageBytesMax = limits.backlogBytesMax / random.pick([1, 4])
        sessionCount += 1
        sessions.append(
            SimulatedSession(in: self, number: sessionCount, limits: limits, random: random.fork()))
        note("session \(sessionCount) connects, \(limits.backlogBytesMax) bytes may wait")
    }

    private func reconnect(_ session: SimulatedSession) {
        let cursors = session.checker.cursors
        close(session, isFinished: false)
        guard random.chance(70) else { return }
        connect()
        sessions[sessions.count - 1].subscribe(resuming: cursors)
    }

    private func close(_ session: SimulatedSession, isFinished: Bool) {
        note("session \(session.number) ends")
        if isFinished { session.finish() }
        violations += session.checker.violations
        digest.add("\(session.checker.digest.value)")
        counts.merge(session.checker.counts, uniquingKeysWith: +)
        shard.remove(session.subscriber)
        sessions.removeAll { $0 === session }
    }

    private func logStep() {
        let topic = random.pick(Self.topics)
        let told = log.fifo.count
        defer {
            for message in log.fifo[told...] { note("log: \(message)") }
            if log.fifo.count == told { note("log: \(topic) is kept from \(earliest(of: topic))") }
        }
        switch random.pick(1...10) {
        case 1...2: log.create(topic)
        case 3...4: log.delete(topic)
        case 5...6:
            log.retain(topic, count: random.pick(0...8), isPurge: true, isTold: true)
        case 7...8:
            log.retain(
                topic, count: random.pick(0...8), isPurge: false, isTold: random.chance(50))
        default:
            // Retention overtakes the loop, and before that is told, the log's life ends.
            if random.chance(50) {
                log.retain(topic, count: random.pick(0...3), isPurge: false, isTold: false)
            }
            let isLossless = random.chance(30)
            log.restart(tellsSurvivors: random.chance(70)) { _ in
                isLossless ? 0 : random.pick(0...4)
            }
        }
    }

    private func earliest(of topic: TopicName) -> Offset { log.life(of: topic)?.earliest ?? 0 }

    // MARK: What takes its time

    private func deliver() {
        guard !log.fifo.isEmpty else { return }
        let message = log.fifo.removeFirst()
        note("loop < \(message)")
        switch message {
        case .appended(let events, let position):
            stand(position, at: events.last?.offset)
            shard.appended(events, to: position.topic, epoch: position.epoch, at: position)
        case .created(let topics):
            shard.created(topics)
            for session in sessions { session.topicsCreated(topics) }
        case .deleted(let topic, let position):
            stands[topic] = nil
            if shard.deleted(topic, at: position) { unfollow([topic]) }
            for session in sessions { session.topicDeleted(topic) }
        case .purged(let topic, let earliest, let position):
            if let position { stand(position, at: max(position.latest, earliest - 1)) }
            shard.purged(topic, earliest: earliest, at: position)
        case .restarted(let position, let fork, let old):
            stand(position, at: fork)
            shard.restarted(position, fork: fork, from: old)
        case .followed(let positions, let topics, let answer):
            for position in positions { stands[position.topic] = position }
            followed(positions, topics)
            answer(true)
        case .matching(let positions, let answer):
            for position in positions { stands[position.topic] = position }
            answer?()
        }
    }

    private func stand(_ position: TopicPosition, at offset: Offset?) {
        var position = position
        position.latest = offset ?? position.latest
        stands[position.topic] = position
    }

    /// As the hub does it.
    private func followed(_ positions: [TopicPosition], _ topics: [TopicName]) {
        let unknown = topics.filter { !shard.follows($0) }
        shard.followed(positions, isPassing: random.chance(50))
        let new = unknown.filter { shard.follows($0) }
        unfollow(topics.filter { !new.contains($0) })
    }

    private func answerRequest() {
        guard !requests.isEmpty else { return }
        let isFailing = !isEnding && random.chance(15)
        let request = requests.removeFirst()
        note("\(request)\(isFailing ? " fails" : "")")
        switch request {
        case .follow(let topics, let answer):
            if !isFailing { return log.follow(topics, answer) }
            unfollow(topics)
            answer(false)
        case .unfollow(let topics): log.unfollow(topics)
        case .followMatching(let patterns, let answer):
            if !isFailing { log.follow(matching: patterns, answer) }
        case .unfollowMatching(let patterns):
            log.unfollow(matching: patterns)
        }
    }

    private func readPage() {
        guard !reads.isEmpty else { return }
        var read = reads.remove(at: random.pick(0...reads.count - 1))
        if isEnding || !random.chance(15) {
            read.page = log.page(of: read.topic, after: read.after)
        }
        pages.append(read)
    }

    private func pageArrives() {
        guard !pages.isEmpty else { return }
        let read = pages.remove(at: random.pick(0...pages.count - 1))
        let offsets = read.page.map { "\($0.events.map(\.offset))" } ?? "failed"
        note("page of \(read.topic) after \(read.after): \(offsets)")
        shard.pageArrived(read.page, of: read.topic, after: read.after)
    }

    private func tick() {
        now += .seconds(random.pick([1, 61]))
        wake()
        let idle = shard.tick(now: now).sorted { $0.text < $1.text }
        note("tick\(idle.isEmpty ? "" : ", not needed: \(idle)")")
        if !idle.isEmpty { unfollow(idle) }
        let gone = wanted.filter { $0.value == 0 }.keys.sorted { $0.text < $1.text }
        for pattern in gone {
            wanted[pattern] = nil
            requests.append(.unfollowMatching([pattern]))
        }
        let awaited = shard.topicsAwaited
        if !awaited.isEmpty { follow(awaited) }
        for session in sessions { session.askAgain() }
    }

    private func wake() {
        guard let wakeTime, wakeTime <= now else { return }
        self.wakeTime = nil
        note("wakes")
        shard.wake()
    }

    private func turn() {
        guard isFlushScheduled, isEnding || random.chance(70) else { return }
        isFlushScheduled = false
        note("flush")
        // Each look at the clock may be the one at which the turn is over.
        var time = now
        shard.flush {
            if !isEnding, random.chance(30) { time += limits.flushTurn }
            return time
        }
    }

    // MARK: Checks

    private func check() {
        for session in sessions {
            if let violation = session.checkBound(eventBytesMax: Self.bigEventBytes) {
                report(violation)
            }
            for violation in session.checkPlaces() { report(violation) }
        }
    }

    private func report(_ violation: String) {
        note("VIOLATION: \(violation)")
        violations.append(violation)
    }

    /// Lets everything come to rest: sockets are open, nothing fails.
    private func end() {
        isEnding = true
        var rounds = 0
        repeat {
            for topic in Self.topics {
                log.tell(topic, count: .max / 2, isRead: random.chance(50))
            }
            while !log.fifo.isEmpty { deliver() }
            while !requests.isEmpty { answerRequest() }
            while !reads.isEmpty { readPage() }
            while !pages.isEmpty { pageArrives() }
            for session in sessions {
                session.proceed()
                session.open()
            }
            turn()
            tick()
            for session in sessions where session.subscriber.takeOverflow() {
                close(session, isFinished: false)
            }
            rounds += 1
        } while rounds < 2000 && !(isAtRest && !isFlushScheduled && wakeTime == nil)
        if !isAtRest { violations.append("comes to no rest") }
    }

    private var isAtRest: Bool {
        log.fifo.isEmpty && requests.isEmpty && reads.isEmpty && pages.isEmpty
            && !sessions.contains { $0.isPending || $0.subscriber.isReplaying }
    }
}
