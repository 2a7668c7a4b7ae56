internal import EventModel
internal import FanOut

/// Told whether topics could be followed.
typealias FollowAnswer = (Bool) -> Void

/// A log in memory with everything that can happen to one, and the queue through which it tells a
/// loop.
struct SimulatedLog {
    /// What the loop is told, in order.
    enum Message: CustomStringConvertible {
        case appended([Event], TopicPosition)
        case created([TopicName])
        case deleted(TopicName, TopicPosition?)
        case purged(TopicName, earliest: Offset, TopicPosition?)
        case restarted(TopicPosition, fork: Offset, from: TopicPosition)
        /// Of these topics, those that exist stand here; who asked is told.
        case followed([TopicPosition], [TopicName], FollowAnswer)
        /// Everything is followed that the patterns match. Where that stands, nobody is told but the
        /// checker.
        case matching([TopicPosition], (() -> Void)?)

        var description: String {
            switch self {
            case .appended(let events, let position):
                "\(position.topic) \(events.map(\.offset)) behind \(position.latest)"
            case .created(let topics): "created \(topics)"
            case .deleted(let topic, let position):
                "deleted \(topic)" + (position.map { " at \($0.latest)" } ?? "")
            case .purged(let topic, let earliest, let position):
                "purged \(topic) below \(earliest)" + (position.map { " at \($0.latest)" } ?? "")
            case .restarted(let position, let fork, let old):
                "restarted \(position.topic) behind \(fork) as \(position.epoch)"
                    + " with \(position.earliest)...\(position.latest), told to \(old.latest)"
            case .followed(let positions, let topics, _):
                "follows \(topics): " + Self.text(positions)
            case .matching(let positions, _): "follows what matches: " + Self.text(positions)
            }
        }

        private static func text(_ positions: [TopicPosition]) -> String {
            positions.map { "\($0.topic) \($0.epoch) to \($0.latest)" }.joined(separator: ", ")
        }
    }

    /// One life of a topic.
    struct Life {
        let topic: TopicName
        let id: Int32
        /// What a loop is not told of it, nobody can read.
        let isEphemeral: Bool
        /// The event of each offset, also of those that are not kept any more.
        var serials: [Int] = []
        var earliest: Offset = 1
        var purgedBelow: Offset = 0
        var isNamed = false
        var isMatched = false
        /// The last offset that the loop was told.
        var told: Offset = 0
        /// What became of the offsets at the end of each incarnation since the first of this life.
        var forks: [(incarnation: Int, fork: Offset)] = []

        var latest: Offset { Offset(serials.count) }
        var isFollowed: Bool { isNamed || isMatched }
    }

    private(set) var incarnation = 1
    private(set) var lives: [Int32: Life] = [:]
    private(set) var ids: [TopicName: Int32] = [:]
    private var patterns: Set<TopicPattern> = []
    var fifo: [Message] = []
    /// How often an incarnation ended before a topic was told that retention had overtaken it.
    private(set) var overtakenCount = 0
    private var sizes: [Int] = []
    let pageEventsMax: Int
    let pageBytesMax: Int

    init(pageEventsMax: Int, pageBytesMax: Int) {
        self.pageEventsMax = pageEventsMax
        self.pageBytesMax = pageBytesMax
    }

    func life(of topic: TopicName) -> Life? { ids[topic].flatMap { lives[$0] } }

    private func epoch(of life: Life) -> Epoch {
        SimulatedEpoch(incarnation: incarnation, topicID: life.id).epoch
    }

    private func position(of life: Life) -> TopicPosition {
        TopicPosition(
            topic: life.topic, epoch: epoch(of: life), earliest: life.earliest, latest: life.latest,
            isEphemeral: life.isEphemeral)
    }

    /// Up to where the loop was told.
    private func told(_ life: Life) -> TopicPosition {
        var position = position(of: life)
        position.latest = life.told
        return position
    }

    private func events(_ life: Life, _ offsets: ClosedRange<Offset>) -> [Event] {
        offsets.map { offset in
            let serial = life.serials[Int(offset - 1)]
            return SimulatedMessage.event(offset, serial: serial, bytes: sizes[serial])
        }
    }

    // MARK: What happens to it

    mutating func create(_ topic: TopicName) {
        guard ids[topic] == nil else { return }
        let id = Int32(lives.count + 1)
        lives[id] = Life(topic: topic, id: id, isEphemeral: topic.text.hasPrefix("e"))
        ids[topic] = id
        fifo.append(.created([topic]))
        // Its events may be told before the loop has asked for it by name.
        if patterns.contains(where: { $0.matches(topic) }) {
            lives[id]?.isMatched = true
            if let life = lives[id] { fifo.append(.matching([told(life)], nil)) }
        }
    }

    mutating func delete(_ topic: TopicName) {
        guard let id = ids.removeValue(forKey: topic) else { return }
        let position = lives[id].flatMap { $0.isFollowed ? told($0) : nil }
        lives[id]?.isNamed = false
        lives[id]?.isMatched = false
        fifo.append(.deleted(topic, position))
    }

    mutating func append(to topic: TopicName, bytes: [Int]) {
        create(topic)
        guard let id = ids[topic] else { return }
        lives[id]?.serials.append(contentsOf: sizes.count..<sizes.count + bytes.count)
        sizes.append(contentsOf: bytes)
    }

    /// Takes what is older than `count` events, by retention or by a purge.
    mutating func retain(_ topic: TopicName, count: Int, isPurge: Bool, isTold: Bool) {
        guard let id = ids[topic], var life = lives[id], !life.isEphemeral else { return }
        life.earliest = max(life.earliest, life.latest + 1 - Offset(count))
        if isPurge { life.purgedBelow = life.earliest }
        if isTold, life.isFollowed {
            fifo.append(.purged(topic, earliest: life.earliest, told(life)))
            life.told = max(life.told, life.earliest - 1)
        }
        lives[id] = life
    }

    /// Begins another incarnation, in which the newest events of each topic are lost.
    ///
    /// `tellsSurvivors`: What the old one had, and the loop was not told of, is told before.
    mutating func restart(tellsSurvivors: Bool, losing lost: (TopicName) -> Int) {
        let ended = incarnation
        var forks: [(id: Int32, fork: Offset)] = []
        for id in lives.keys.sorted() {
            guard let life = lives[id] else { continue }
            let kept = max(life.earliest - 1, life.latest - Offset(lost(life.topic)))
            let fork = life.isEphemeral ? 0 : kept
            forks.append((id, fork))
            guard tellsSurvivors, life.isFollowed, !life.isEphemeral else { continue }
            if life.told + 1 < life.earliest { overtakenCount += 1 }
            tellKept(of: id, upTo: fork)
        }
        incarnation += 1
        for (id, fork) in forks {
            guard var life = lives[id] else { continue }
            var old = told(life)
            old.epoch = SimulatedEpoch(incarnation: ended, topicID: id).epoch
            life.serials.removeLast(Int(life.latest - fork))
            life.forks.append((ended, fork))
            if life.isFollowed {
                life.told = fork
                fifo.append(.restarted(position(of: life), fork: fork, from: old))
            }
            lives[id] = life
        }
    }

    // MARK: What is asked of it

    /// Tells the loop up to `count` events that it does not know yet, as the node's own ones, or as
    /// those that were read; of an ephemeral topic, the second half of those, as the first was lost.
    mutating func tell(_ topic: TopicName, count: Int, isRead: Bool) {
        guard let id = ids[topic], let life = lives[id], life.isFollowed else { return }
        let last = min(life.latest, life.told + Offset(count))
        if life.isEphemeral, isRead, last > life.told {
            let lost = life.told + (last - life.told + 1) / 2
            fifo.append(.purged(topic, earliest: lost + 1, told(life)))
            lives[id]?.told = lost
            return tellAll(of: id, upTo: last)
        }
        if isRead { tellKept(of: id, upTo: last) } else { tellAll(of: id, upTo: last) }
    }

    /// Tells what can still be read; where something is missing, that first.
    private mutating func tellKept(of id: Int32, upTo last: Offset) {
        guard let life = lives[id] else { return }
        if life.told + 1 < life.earliest {
            fifo.append(.purged(life.topic, earliest: life.earliest, told(life)))
            lives[id]?.told = life.earliest - 1
        }
        tellAll(of: id, upTo: last)
    }

    private mutating func tellAll(of id: Int32, upTo last: Offset) {
        guard let life = lives[id], life.told < last else { return }
        fifo.append(.appended(events(life, life.told + 1...last), told(life)))
        lives[id]?.told = last
    }

    mutating func follow(_ topics: [TopicName], _ answer: @escaping FollowAnswer) {
        var positions: [TopicPosition] = []
        for topic in topics {
            guard let id = ids[topic], var life = lives[id] else { continue }
            if !life.isFollowed { life.told = life.latest }
            life.isNamed = true
            lives[id] = life
            positions.append(told(life))
        }
        fifo.append(.followed(positions, topics, answer))
    }

    mutating func unfollow(_ topics: [TopicName]) {
        for topic in topics {
            if let id = ids[topic] { lives[id]?.isNamed = false }
        }
    }

    mutating func follow(matching patterns: [TopicPattern], _ answer: @escaping () -> Void) {
        self.patterns.formUnion(patterns)
        var positions: [TopicPosition] = []
        for (_, id) in ids.sorted(by: { $0.value < $1.value }) {
            guard var life = lives[id], patterns.contains(where: { $0.matches(life.topic) }) else {
                continue
            }
            if !life.isFollowed { life.told = life.latest }
            life.isMatched = true
            lives[id] = life
            positions.append(told(life))
        }
        fifo.append(.matching(positions, answer))
    }

    mutating func unfollow(matching gone: [TopicPattern]) {
        patterns.subtract(gone)
        for (topic, id) in ids where !patterns.contains(where: { $0.matches(topic) }) {
            lives[id]?.isMatched = false
        }
    }

    /// The existing topics that one of the patterns matches, by name.
    func topics(matching patterns: [TopicPattern], after: TopicName?, count: Int) -> [TopicName] {
        let names = ids.keys.filter { name in
            name.text > after?.text ?? "" && patterns.contains { $0.matches(name) }
        }
        return Array(names.sorted { $0.text < $1.text }.prefix(count))
    }

    func page(of topic: TopicName, after: Offset) -> ReplayPage? {
        guard let life = life(of: topic) else { return nil }
        let first = max(after + 1, life.earliest)
        var events: [Event] = []
        var bytes = 0
        var offset = first
        while offset <= life.latest, events.count < pageEventsMax, bytes < pageBytesMax {
            events += self.events(life, offset...offset)
            bytes += sizes[life.serials[Int(offset - 1)]]
            offset += 1
        }
        let page = EventPage(
            position: position(of: life), purgedBelow: life.purgedBelow, events: events)
        return ReplayPage(page, in: SimulatedMessage.encoding)
    }

    /// Up to where a cursor of one incarnation means the same in a later one.
    func fork(of id: Int32, from old: Int, to new: Int) -> Offset {
        let forks = lives[id]?.forks.filter { old <= $0.incarnation && $0.incarnation < new } ?? []
        return forks.map(\.fork).min() ?? .max
    }
}
