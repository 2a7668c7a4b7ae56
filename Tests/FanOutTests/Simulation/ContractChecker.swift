internal import EventModel
internal import FanOut
internal import Filtering

/// One client's view of its session, held against the contract (doc:Contract, doc:Session).
struct ContractChecker {
    private struct Known {
        let patterns: [TopicPattern]
        let options: SubscriptionOptions
        let filter: SimulatedFilter
        var credit: Int64?
        var isLive = false

        func policy(of topic: TopicName) -> OverflowPolicy {
            options.overflow ?? Simulation.policies[topic.text] ?? .replay
        }
    }

    private var subscriptions: [Int64: Known] = [:]
    /// The last offset consumed of each topic.
    private(set) var cursors: [TopicName: Cursor] = [:]
    /// Where topics began that the client was told nothing of.
    private var beginnings: [TopicName: Beginning] = [:]
    /// Of subscriptions, until they are told subscribed.
    private var begun: [Int64: [TopicName: Beginning]] = [:]
    private var deleted: Set<TopicName> = []
    /// Which event came at each offset.
    private var delivered: [TopicName: [Offset: Int]] = [:]
    /// Subscriptions that have had another rate.
    private var paced: Set<Int64> = []
    /// All that subscriptions were granted.
    private var granted: [Int64: Int64] = [:]
    private(set) var violations: [String] = []
    private(set) var digest = SimulationDigest()
    /// What was received, for the tests of the simulation itself.
    private(set) var counts: [String: Int] = [:]

    /// The newest `count` events of a topic that its subscription began with, and all behind.
    struct Beginning {
        let epoch: Epoch
        let head: Offset
        let count: Offset

        /// What the head means now; `nil` in another life of the topic.
        func head(in log: SimulatedLog, _ incarnation: Int) -> Offset? {
            guard let begun = SimulatedEpoch(epoch) else { return nil }
            return min(head, log.fork(of: begun.topicID, from: begun.incarnation, to: incarnation))
        }
    }

    /// The last offset consumed of a topic's life; `nil` if nothing is known of it.
    func cursor(of topic: TopicName, in epoch: Epoch) -> Offset? {
        guard let cursor = cursors[topic], cursor.epoch.topicID == epoch.topicID else { return nil }
        return cursor.offset
    }

    /// A subscription begins, with topics of which the client is told nothing.
    mutating func begin(_ id: Int64, _ topics: [TopicName: Beginning]) { begun[id] = topics }

    /// The client asks for another rate.
    mutating func pace(_ id: Int64) { paced.insert(id) }

    /// The client takes more events.
    mutating func grant(_ events: Int64, to id: Int64) {
        granted[id, default: 0] += events
        subscriptions[id]?.credit? += events
    }

    mutating func receive(
        _ line: String, patterns: (Int64) -> [TopicPattern],
        options: (Int64) -> (SubscriptionOptions, SimulatedFilter), log: SimulatedLog
    ) {
        digest.add(line)
        let words = line.split(separator: " ")
        let kind = words[0] == "gap" ? "gap \(words[words.count - 1])" : String(words[0])
        counts[kind, default: 0] += 1
        let before = violations.count
        switch SimulatedMessage(line) {
        case .event(let topic, let offset, let epoch, let serial):
            advance(topic, epoch: epoch, from: offset, to: offset, log)
            delivered[topic, default: [:]][offset] = serial
            spend(topic)
            if !filter(of: topic).wants(serial) { violations.append("its filter is against it") }
        case .notice(.gap(let topic, let epoch, let from, let to, let reason)):
            advance(topic, epoch: epoch, from: from, to: to, log)
            check(reason, topic, epoch: epoch, from...max(from, to), log: log)
        case .notice(.reset(let topic, let cursor, let reason)):
            reset(topic, to: cursor, reason, log)
        case .notice(.lagging(let id, let behind)):
            change(id ?? 0, toLive: false)
            if behind < 0 { violations.append("behind is negative") }
        case .notice(.live(let id)): change(id ?? 0, toLive: true)
        case .notice(.cursors(let new)):
            for (topic, cursor) in new { progress(topic, to: cursor, log) }
        case .subscribed(let id, let starts):
            let (options, filter) = options(id)
            subscriptions[id] = Known(
                patterns: patterns(id), options: options, filter: filter,
                credit: options.credit.map { $0 + granted[id, default: 0] })
            cursors.merge(starts) { _, new in new }
            beginnings.merge(begun.removeValue(forKey: id) ?? [:]) { _, new in new }
        case .unsubscribed(let id): end(id)
        case nil: violations.append("not a message")
        }
        for index in before..<violations.count { violations[index] += " [\(line)]" }
    }

    private func subscription(of topic: TopicName) -> Int64? {
        subscriptions.first { $0.value.patterns.contains { $0.matches(topic) } }?.key
    }

    private func filter(of topic: TopicName) -> SimulatedFilter {
        subscription(of: topic).flatMap { subscriptions[$0]?.filter } ?? .none
    }

    /// Whether the filter lets none of the offsets through.
    private func isFiltered(
        _ topic: TopicName, _ span: Range<Offset>, _ epoch: SimulatedEpoch?, _ log: SimulatedLog
    ) -> Bool {
        let filter = filter(of: topic)
        guard filter != .none, let life = epoch.flatMap({ log.lives[$0.topicID] }) else {
            return span.isEmpty
        }
        // What another incarnation had is not known any more.
        return span.allSatisfy { offset in
            offset > life.serials.count || epoch?.incarnation != log.incarnation
                || !filter.wants(life.serials[Int(offset - 1)])
        }
    }

    /// Whether nothing came between what the client has consumed of a topic and `cursor`.
    func isFiltered(
        _ topic: TopicName, _ known: Offset, _ cursor: Cursor, _ log: SimulatedLog
    ) -> Bool {
        isFiltered(topic, known + 1..<cursor.offset + 1, SimulatedEpoch(cursor.epoch), log)
    }

    /// The client stands at `cursor`, and its filter let nothing before that through.
    private mutating func progress(_ topic: TopicName, to cursor: Cursor, _ log: SimulatedLog) {
        guard subscription(of: topic) != nil else {
            return violations.append("nothing is subscribed to the topic")
        }
        if deleted.contains(topic) { violations.append("the topic was told deleted") }
        if let known = cursors[topic] {
            if cursor.offset < known.offset { violations.append("goes back from \(known)") }
            if cursor.offset > known.offset,
                !isFiltered(
                    topic, known.offset + 1..<cursor.offset + 1, SimulatedEpoch(cursor.epoch), log)
            {
                violations.append("passes over what was not filtered, behind \(known)")
            }
        }
        cursors[topic] = cursor
    }

    /// Offsets `from` to `to` were delivered, or passed in a gap.
    private mutating func advance(
        _ topic: TopicName, epoch: Epoch, from: Offset, to: Offset, _ log: SimulatedLog
    ) {
        guard subscription(of: topic) != nil else {
            return violations.append("nothing is subscribed to the topic")
        }
        if deleted.contains(topic) { violations.append("the topic was told deleted") }
        if let cursor = cursors[topic] {
            if from <= cursor.offset
                || !isFiltered(topic, cursor.offset + 1..<from, SimulatedEpoch(epoch), log)
            {
                violations.append("not behind \(cursor)")
            }
            if let old = SimulatedEpoch(cursor.epoch), let new = SimulatedEpoch(epoch),
                new.topicID != old.topicID || new.incarnation < old.incarnation
            {
                violations.append("of another epoch than \(cursor)")
            }
        } else if let beginning = beginnings[topic], let new = SimulatedEpoch(epoch),
            new.topicID == SimulatedEpoch(beginning.epoch)?.topicID
        {
            check(beginning, new, from: from, log)
        } else if from != 1, !isFiltered(topic, 1..<from, SimulatedEpoch(epoch), log) {
            violations.append("a new topic begins at 1")
        }
        if to < from { violations.append("ends before it begins") }
        cursors[topic] = Cursor(epoch: epoch, offset: to)
    }

    /// The first of a topic is what the subscription began with, and what the log kept of that.
    private mutating func check(
        _ beginning: Beginning, _ epoch: SimulatedEpoch, from: Offset, _ log: SimulatedLog
    ) {
        guard let head = beginning.head(in: log, epoch.incarnation),
            let life = log.lives[epoch.topicID]
        else { return }
        let first = max(1, head - beginning.count + 1)
        let topic = log.ids.first { $0.value == epoch.topicID }?.key
        func isMissing(_ begin: Offset) -> Bool {
            guard from > begin, let topic else { return false }
            return !isFiltered(topic, begin..<from, epoch, log)
        }
        if isMissing(head + 1) { violations.append("what came behind \(head) is missing") }
        if from < first { violations.append("begins before \(first)") }
        // It may have been fixed before the log went on below.
        if isMissing(max(beginning.head - beginning.count + 1, life.earliest)) {
            violations.append("does not begin at \(first)")
        }
    }

    private mutating func spend(_ topic: TopicName) {
        guard let id = subscription(of: topic), let credit = subscriptions[id]?.credit else {
            return
        }
        if credit == 0 { violations.append("there was no credit") }
        subscriptions[id]?.credit = credit - 1
    }

    /// A gap names only what the log does not keep any more, or never kept, or what the policy lets
    /// go.
    private mutating func check(
        _ reason: GapReason, _ topic: TopicName, epoch: Epoch, _ span: ClosedRange<Offset>,
        log: SimulatedLog
    ) {
        guard let epoch = SimulatedEpoch(epoch), let life = log.lives[epoch.topicID],
            let id = subscription(of: topic), let known = subscriptions[id]
        else { return violations.append("a topic that never was") }
        let policy = known.policy(of: topic)
        let isConflating = policy == .conflate || known.options.maxRate != nil || paced.contains(id)
        let isLossy = isConflating || policy == .dropOldest
        switch reason {
        case .purged where life.isEphemeral, .retention where life.isEphemeral:
            violations.append("there is no log")
        case .purged: if span.upperBound >= life.purgedBelow { violations.append("not purged") }
        case .retention: if span.upperBound >= life.earliest { violations.append("is kept") }
        case .ephemeral: if !life.isEphemeral { violations.append("there is a log") }
        case .overflow: if !life.isEphemeral, !isLossy { violations.append("not its policy") }
        case .conflated:
            if !isConflating { violations.append("not its policy") }
            if epoch.incarnation == log.incarnation {
                checkConflated(span, life, filter(of: topic))
            }
        }
    }

    /// Each of them has a newer event of its key.
    private mutating func checkConflated(
        _ span: ClosedRange<Offset>, _ life: SimulatedLog.Life, _ filter: SimulatedFilter
    ) {
        let keys = life.serials.map(SimulatedMessage.key(ofSerial:))
        for offset in span
        where filter.wants(life.serials[Int(offset - 1)])
            && !keys[Int(offset)...].contains(keys[Int(offset - 1)])
        {
            violations.append("\(offset) is the newest of its key")
        }
    }

    private mutating func reset(
        _ topic: TopicName, to cursor: Cursor?, _ reason: ResetReason, _ log: SimulatedLog
    ) {
        if subscription(of: topic) == nil {
            violations.append("nothing is subscribed to the topic")
        }
        let old =
            cursors[topic] ?? beginnings[topic].map { Cursor(epoch: $0.epoch, offset: $0.head) }
        beginnings[topic] = nil
        switch reason {
        case .deleted:
            if cursor != nil { violations.append("has a cursor") }
            if !deleted.insert(topic).inserted { violations.append("was told already") }
            delivered[topic] = nil
        case .recreated:
            let isOther = old.map { cursor?.epoch.topicID != $0.epoch.topicID }
            if isOther == false { violations.append("is the same topic") }
            if isOther == nil, !deleted.contains(topic) { violations.append("was not deleted") }
            if cursor?.offset != 0 { violations.append("does not begin at 0") }
            deleted.remove(topic)
            delivered[topic] = nil
        case .restored:
            // It may have passed over more than the client was told.
            let isEphemeral = cursor.flatMap { SimulatedEpoch($0.epoch) }
                .flatMap { log.lives[$0.topicID]?.isEphemeral }
            let isLost =
                old.map { old in
                    cursor.map(\.offset) ?? 0 < old.offset
                        || isEphemeral == true && cursor?.epoch != old.epoch
                } ?? false
            guard let cursor, isLost || filter(of: topic) != .none else {
                violations.append("nothing was consumed that is lost")
                break
            }
            delivered[topic] = delivered[topic]?.filter { $0.key <= cursor.offset }
        }
        cursors[topic] = cursor
    }

    private mutating func change(_ id: Int64, toLive isLive: Bool) {
        guard let known = subscriptions[id] else {
            return violations.append("is not subscribed")
        }
        if known.isLive == isLive { violations.append("was told already") }
        subscriptions[id]?.isLive = isLive
    }

    private mutating func end(_ id: Int64) {
        guard let known = subscriptions.removeValue(forKey: id) else { return }
        func isOfIt(_ topic: TopicName) -> Bool { known.patterns.contains { $0.matches(topic) } }
        cursors = cursors.filter { !isOfIt($0.key) }
        beginnings = beginnings.filter { !isOfIt($0.key) }
        delivered = delivered.filter { !isOfIt($0.key) }
        deleted = deleted.filter { !isOfIt($0) }
    }

    // MARK: At the end

    /// Everything was read and every socket took everything: each subscription is live at the head.
    mutating func finish(log: SimulatedLog) {
        for (id, known) in subscriptions {
            if !known.isLive { violations.append("subscription \(id) is not live at the end") }
            for topic in log.ids.keys where known.patterns.contains(where: { $0.matches(topic) }) {
                finish(topic, log: log)
            }
        }
        for topic in cursors.keys where log.ids[topic] == nil && subscription(of: topic) != nil {
            violations.append("\(topic) is gone, which was not told")
        }
    }

    private mutating func finish(_ topic: TopicName, log: SimulatedLog) {
        guard let life = log.life(of: topic) else { return }
        var offset = cursors[topic]?.offset ?? 0
        if cursors[topic] == nil, let beginning = beginnings[topic],
            SimulatedEpoch(beginning.epoch)?.topicID == life.id,
            let head = beginning.head(in: log, log.incarnation), head == life.latest,
            beginning.head - beginning.count >= life.latest || life.earliest > life.latest
        {
            // Nothing of what it began with was kept, or it went with an incarnation's end.
            offset = head
        } else if cursors[topic] == nil, filter(of: topic) != .none,
            let beginning = beginnings[topic],
            SimulatedEpoch(beginning.epoch)?.topicID == life.id,
            let head = beginning.head(in: log, log.incarnation)
        {
            // Nothing of what it began with passed the filter.
            offset = max(head - beginning.count, life.earliest - 1, 0)
        }
        if offset > life.latest
            || !isFiltered(
                topic, offset + 1..<life.latest + 1,
                SimulatedEpoch(incarnation: log.incarnation, topicID: life.id), log)
        {
            violations.append("\(topic) ends at \(offset), not \(life.latest)")
        }
        for (offset, serial) in delivered[topic] ?? [:]
        where offset > life.latest || life.serials[Int(offset - 1)] != serial {
            violations.append("\(topic) \(offset) is not the event that the log has")
        }
    }
}

/// Which events a subscription wants, by their keys.
enum SimulatedFilter: String {
    case none
    case one = "$key == \"1\""
    case notThree = "!($key == \"3\")"

    func wants(_ serial: Int) -> Bool {
        let key = SimulatedMessage.key(ofSerial: serial)
        return switch self {
        case .none: true
        case .one: key == "1"
        case .notThree: key != "3"
        }
    }

    var filter: EventFilter? { self == .none ? nil : try? EventFilter(rawValue, bytesMax: 100) }
}

/// Tells whether two runs were the same (FNV-1a).
struct SimulationDigest: Hashable {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ text: String) {
        for byte in text.utf8 { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    }
}
