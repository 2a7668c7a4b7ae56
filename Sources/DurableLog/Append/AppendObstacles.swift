package import EventModel

/// What the database is asked before requests can be appended.
package struct AppendQuestions: Hashable, Sendable {
    /// Topics to look up by name.
    package var find: Set<TopicName> = []
    /// The same; those that do not exist are created.
    package var create: Set<TopicName> = []
    /// Topics whose locks somebody may hold.
    package var locks: Set<TopicName> = []
    package var conditions: [Condition] = []

    /// Whether the cursors that a request expects as heads hold in the log's incarnation.
    package struct Condition: Hashable, Sendable {
        /// The request's.
        package var number: Int
        package var heads: [TopicName: Cursor]

        package init(number: Int, heads: [TopicName: Cursor]) {
            self.number = number
            self.heads = heads
        }
    }

    package init() {}

    package var isEmpty: Bool {
        find.isEmpty && create.isEmpty && locks.isEmpty && conditions.isEmpty
    }
}

/// Why requests cannot be appended at once, and what has to be asked about it.
///
/// Each question is asked once at a time. Its answer is for the requests that had come when it was
/// asked; later ones ask again.
struct AppendObstacles: Sendable {
    enum Verdict {
        case clear
        case waits(for: TopicName)
        /// Its topic is ephemeral, and takes it.
        case belongsToEphemera
        case refused(BrokerError)
    }

    /// How often is asked whether a topic is still locked.
    static let probeInterval = Duration.milliseconds(100)

    /// To be asked.
    private(set) var questions = AppendQuestions()
    /// Names that are being looked up, and the newest request then.
    private var sought: [TopicName: Int] = [:]
    /// Requests whose conditions are being checked.
    private var checking: Set<Int> = []
    /// Topics whose lock was not to be had, and since when.
    private(set) var suspects: [TopicName: ContinuousClock.Instant] = [:]
    /// The newest request when locks were asked for; `nil` once that was answered.
    private var probed: Int?
    private var nextProbe: ContinuousClock.Instant?

    mutating func takeQuestions() -> AppendQuestions {
        defer { questions = AppendQuestions() }
        return questions
    }

    /// Decides whether a request may be appended in this incarnation, and leaves what has to be
    /// asked first.
    ///
    /// `creates`: Whether topics may be created. `newest`: The number of the request that came
    /// last. `ids`: Gets the topic's id of each part, if the verdict is `clear`. `entries`: Of the
    /// topics of its parts.
    mutating func verdict(
        on pending: PendingAppend, _ way: AppendWay, creates: Bool, newest: Int,
        in incarnation: String, into ids: inout [Int32], _ entries: AppendQueue.Entries
    ) -> Verdict {
        let count = ids.count
        let verdict = judge(pending, way, creates, newest, incarnation, &ids, entries)
        if case .clear = verdict { return verdict }
        ids.removeLast(ids.count - count)
        return verdict
    }

    private mutating func judge(
        _ pending: PendingAppend, _ way: AppendWay, _ creates: Bool, _ newest: Int,
        _ incarnation: String, _ ids: inout [Int32], _ entries: AppendQueue.Entries
    ) -> Verdict {
        var obstacle: TopicName?
        var isElsewhere = false
        var old: [TopicName: Cursor] = [:]
        let parts = pending.parts
        // By index: a copy of each part would retain all that it has.
        for index in parts.indices {
            let topic = parts[index].topic
            if suspects[topic] != nil { obstacle = obstacle ?? topic }
            guard let entry = entries[index] else {
                seek(
                    topic, creates: creates && pending.request.createsTopics, newest: newest)
                obstacle = obstacle ?? topic
                continue
            }
            ids.append(entry.id)
            if let most = entry.eventBytesMax,
                let error = AppendRefusal.refusal(of: parts[index], over: most)
            {
                return .refused(error)
            }
            switch (way, entry.isEphemeral) {
            case (.log, false), (.ephemera, true): break
            case (.log, true):
                if let error = pending.request.refusal(ofEphemeral: topic) {
                    return .refused(error)
                }
                isElsewhere = true
            // The ephemeral topic that it was meant for is gone.
            case (.ephemera, false): return .refused(AppendRefusal.notFound(topic))
            }
            guard let head = parts[index].expectedHead, let expected = parts[index].expectedEpoch,
                expected != Epoch(incarnation: incarnation, topicID: entry.id)
            else { continue }
            old[topic] = old[topic] ?? Cursor(epoch: expected, offset: head)
        }
        if let obstacle { return .waits(for: obstacle) }
        if isElsewhere { return .belongsToEphemera }
        guard let topic = old.keys.first, pending.checkedIn != incarnation else { return .clear }
        if checking.insert(pending.number).inserted {
            questions.conditions.append(.init(number: pending.number, heads: old))
        }
        return .waits(for: topic)
    }

    private mutating func seek(_ topic: TopicName, creates: Bool, newest: Int) {
        guard sought[topic] == nil else { return }
        sought[topic] = newest
        if creates { questions.create.insert(topic) } else { questions.find.insert(topic) }
    }

    /// Up to which request the answer about the name counts; `nil` if nobody asked.
    mutating func found(_ topic: TopicName) -> Int? { sought.removeValue(forKey: topic) }

    mutating func checked(_ number: Int) { checking.remove(number) }

    // MARK: Locks

    mutating func suspect(_ topics: some Sequence<TopicName>, since: ContinuousClock.Instant) {
        for topic in topics where suspects[topic] == nil { suspects[topic] = since }
        nextProbe = nil
    }

    mutating func acquit(_ topic: TopicName) { suspects[topic] = nil }

    /// Asks for the locks of suspects that somebody waits for, now and then.
    mutating func probe(
        where isWanted: (TopicName) -> Bool, newest: Int, now: ContinuousClock.Instant
    ) {
        guard probed == nil, nextProbe.map({ now >= $0 }) ?? true else { return }
        let wanted = suspects.keys.filter(isWanted)
        guard !wanted.isEmpty else { return }
        questions.locks = Set(wanted)
        probed = newest
        nextProbe = now + Self.probeInterval
    }

    /// Up to which request the answer about locks counts.
    mutating func probeAnswered() -> Int {
        defer { probed = nil }
        return probed ?? 0
    }
}
