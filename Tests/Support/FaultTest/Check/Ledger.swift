package import EventModel
package import SessionProtocol

/// What publishers, the log and subscribers said, held against one another.
///
/// Pure. It keeps nine bytes an event and no payload: the first to name the event of a place says
/// which it is, and whoever contradicts breaks a promise (doc:Contract).
package struct Ledger: Sendable {
    private struct Record: Sendable {
        var topic: String
        /// By offset - 1: `EventTag.word`, or 0 while nobody has named it.
        var words: [UInt64] = []
        /// By offset - 1: who named it.
        var marks: [UInt8] = []
        /// By publisher: what is stored.
        var stored: [UInt16: NumberSet] = [:]
        /// By publisher who waits for each answer: the last number that was read from the log.
        var lastRead: [UInt16: Int64] = [:]
        /// How far the log was read.
        var readTo: Offset = 0
        var ends = TopicEnds()
    }

    /// What the log itself says of a topic's life.
    package struct TopicEnds: Equatable, Sendable {
        package var earliest: Offset
        package var latest: Offset
        package var purgedBelow: Offset
        package var isDeleted: Bool

        package init(
            earliest: Offset = 1, latest: Offset = 0, purgedBelow: Offset = 1,
            isDeleted: Bool = false
        ) {
            self.earliest = earliest
            self.latest = latest
            self.purgedBelow = purgedBelow
            self.isDeleted = isDeleted
        }
    }

    private enum Mark {
        static let acknowledged: UInt8 = 1
        static let inLog: UInt8 = 2
    }

    /// How often each thing was told.
    package struct Counts: Equatable, Sendable {
        package var acknowledged = 0
        package var refused = 0
        package var stored = 0
        /// Acknowledged of ephemeral topics, or committed by a transaction.
        package var emitted = 0
        package var seen = 0
        package var gaps = 0
        package var topicChanges = 0
        package var resets = 0

        package init(acknowledged: Int = 0, refused: Int = 0, stored: Int = 0, seen: Int = 0) {
            self.acknowledged = acknowledged
            self.refused = refused
            self.stored = stored
            self.seen = seen
        }
    }

    package private(set) var counts = Counts()
    /// Broken promises, in words; the first hundred.
    package private(set) var violations: [String] = []
    private var untold: [String] = []
    private var lives: [Life: Record] = [:]
    private var refused: [UInt16: NumberSet] = [:]
    /// Committed by a transaction that was not told where.
    private var promised: [UInt16: NumberSet] = [:]
    /// Of ephemeral topics: publishes of which nobody knows whether they came to pass.
    private var unsure: [UInt16: NumberSet] = [:]
    /// Of ephemeral topics: what took an offset that its publisher was not told.
    private var untoldCount = 0
    /// Gaps that the log has not explained yet.
    private var openGaps: [(gap: BrokerMessage.Gap, reader: String)] = []

    /// Lives that somebody was told are over, and one who was.
    private var left: [Life: String] = [:]

    package init() {}

    package mutating func violated(_ words: String) {
        guard violations.count < 100 else { return }
        violations.append(words)
        explain("BROKEN: \(words)")
    }

    /// Says at once what may help to find out why.
    package mutating func explain(_ words: String) { untold.append(words) }

    /// What is to be said, once.
    package mutating func takeUntold() -> [String] {
        defer { untold = [] }
        return untold
    }

    // MARK: Publishers

    /// An answer told that the event is committed, and where.
    package mutating func acknowledged(_ tag: EventTag, at place: Place) {
        if place.life.isEphemeral { counts.emitted += 1 } else { counts.acknowledged += 1 }
        claim(tag, at: place, mark: Mark.acknowledged, by: "its acknowledgement")
    }

    /// A transaction that published it has committed.
    package mutating func committed(_ tag: EventTag) {
        guard !tag.isEphemeral else {
            counts.emitted += 1
            untoldCount += 1
            return
        }
        counts.acknowledged += 1
        promised[tag.publisher, default: NumberSet()].insert(tag.number)
    }

    /// An event to an ephemeral topic was not answered, and nobody sends it again.
    package mutating func mayBeEmitted(_ tag: EventTag) {
        untoldCount += 1
        unsure[tag.publisher, default: NumberSet()].insert(tag.number)
    }

    /// Every answer told `committed: no`, and nobody sends it again.
    package mutating func refused(_ tag: EventTag) {
        counts.refused += 1
        refused[tag.publisher, default: NumberSet()].insert(tag.number)
        if lives.values.contains(where: { $0.stored[tag.publisher]?.contains(tag.number) == true })
        {
            violated("\(tag) is stored, and its publisher was told that it is not")
        }
    }

    // MARK: Subscribers

    package mutating func delivered(_ tag: EventTag, at place: Place, to reader: String) {
        counts.seen += 1
        claim(tag, at: place, mark: 0, by: reader)
    }

    /// A subscriber was told a gap; the log must explain it when it is read the next time.
    package mutating func toldGap(_ gap: BrokerMessage.Gap, to reader: String) {
        counts.gaps += 1
        guard EventTag.isEphemeral(gap.topic.text) else { return openGaps.append((gap, reader)) }
        if ![GapReason.ephemeral, .overflow].map(\.rawValue).contains(gap.reason) {
            violated("\(reader) was told a gap in \(gap.topic), which has no log: \(gap.reason)")
        }
    }

    /// A topic was altered, purged or deleted.
    package mutating func topicChanged() { counts.topicChanges += 1 }

    package mutating func toldReset() { counts.resets += 1 }

    /// A subscriber was told that a life is over: then it is deleted, whenever the log is read.
    package mutating func wasLeft(_ life: Life, by reader: String) {
        if !life.isEphemeral { left[life] = reader }
    }

    /// A subscriber began behind the topic's first event without being told: only what was not kept
    /// may be missing.
    package mutating func began(_ topic: TopicName, behind cursor: Cursor, _ reader: String) {
        guard cursor.offset > 0, !EventTag.isEphemeral(topic.text) else { return }
        let gap = BrokerMessage.Gap(
            topic: topic, epoch: cursor.epoch, from: 1, to: cursor.offset, reason: .retention)
        openGaps.append((gap, reader))
    }

    // MARK: The log

    /// The log was asked for a life's ends; its rows follow.
    package mutating func found(_ life: Life, of topic: String, _ ends: TopicEnds) {
        if let known = lives[life], known.topic != topic {
            violated("life \(life) is of \(topic) and of \(known.topic)")
        }
        lives[life, default: Record(topic: topic)].ends = ends
        if lives[life]?.ends.isDeleted == true { lives[life]?.lastRead = [:] }
    }

    /// All lives' ends are as new as the gaps in here.
    package mutating func explainGaps(_ gaps: Int) {
        for (gap, reader) in openGaps.prefix(gaps) {
            guard let place = Place(gap.cursor, of: gap.topic.text), let life = lives[place.life]
            else {
                violated("\(reader) was told a gap in \(gap.cursor), which the log does not know")
                continue
            }
            if life.ends.isDeleted { continue }
            let limit =
                gap.reason == GapReason.purged.rawValue ? life.ends.purgedBelow : life.ends.earliest
            if gap.to >= limit {
                violated(
                    "\(reader) was told that \(gap.from) to \(gap.to) of \(gap.topic) are missing "
                        + "(\(gap.reason)), but the log keeps everything from \(limit) on")
            }
        }
        openGaps.removeFirst(gaps)
    }

    package var openGapCount: Int { openGaps.count }

    /// The next row of a life, in the order of the offsets; reading it again is fine.
    ///
    /// - Parameters:
    ///   - tag: What it holds.
    ///   - place: Where it is.
    ///   - isOrdered: Its publisher waits for each answer, so its numbers rise.
    package mutating func read(_ tag: EventTag, at place: Place, isOrdered: Bool) {
        claim(tag, at: place, mark: Mark.inLog, by: "the log")
        guard let readTo = lives[place.life]?.readTo, place.offset > readTo else { return }
        lives[place.life]?.readTo = place.offset
        guard isOrdered else { return }
        let last = lives[place.life]?.lastRead.updateValue(tag.number, forKey: tag.publisher) ?? 0
        if last >= tag.number {
            violated("\(tag) is at \(place), behind event \(last) of the same publisher")
        }
    }

    package mutating func holeInLog(at place: Place) {
        violated("the log has no event at \(place) (\(lives[place.life]?.topic ?? "?"))")
    }

    // MARK: The end

    /// Everybody has said everything: what was acknowledged must be there.
    package mutating func settle() {
        settleEphemeral()
        for (number, life) in lives.sorted(by: { $0.key < $1.key }) where !number.isEphemeral {
            counts.stored += life.stored.values.reduce(0) { $0 + $1.count }
            if life.ends.isDeleted { continue }
            if let reader = left[number] {
                violated("\(reader) was told that life \(number) of \(life.topic) is over")
            }
            for (index, marks) in life.marks.enumerated() where marks & Mark.acknowledged != 0 {
                let offset = Offset(index + 1)
                guard offset >= life.ends.earliest, marks & Mark.inLog == 0 else { continue }
                violated(
                    "\(EventTag.words(life.words[index])) was acknowledged at \(offset) of "
                        + "\(life.topic) (life \(number)), and the log does not have it")
            }
        }
        for (publisher, numbers) in promised.sorted(by: { $0.key < $1.key }) {
            for number in numbers.missing(from: everything(of: publisher), atMost: 5) {
                violated("event \(number) of publisher \(publisher) was committed, and is nowhere")
            }
        }
    }

    /// Of ephemeral topics: each event once, in its publisher's order, at dense offsets.
    private mutating func settleEphemeral() {
        var all: [UInt16: NumberSet] = [:]
        var unnamedCount = 0
        for (name, life) in lives.sorted(by: { $0.key < $1.key }) where name.isEphemeral {
            unnamedCount += life.words.count { $0 == 0 }
            var last: [UInt64: UInt64] = [:]
            for word in life.words where word != 0 {
                let (publisher, number) = (word >> 48, word & 0xFFFF_FFFF_FFFF)
                let id = UInt16(publisher)
                if !all[id, default: NumberSet()].insert(Int64(number)) {
                    violated("\(EventTag.words(word)) is in two lives of \(life.topic)")
                }
                // What was given up may have come later.
                if unsure[id]?.contains(Int64(number)) == true { continue }
                if let before = last.updateValue(number, forKey: publisher), before > number {
                    violated(
                        "\(EventTag.words(word)) of \(life.topic) (life \(name)) is behind its "
                            + "number \(before)")
                }
            }
        }
        if unnamedCount > untoldCount {
            violated(
                "\(unnamedCount) offsets of ephemeral topics are nobody's, and only "
                    + "\(untoldCount) publishes were not told theirs")
        }
    }

    /// Where every topic ends that keeps anything: a gap up to the head is told with the next event.
    package var heads: [String: Place] {
        var heads: [String: Place] = [:]
        for (number, life) in lives
        where !number.isEphemeral && !life.ends.isDeleted && life.ends.latest >= life.ends.earliest
        {
            heads[life.topic] = Place(life: number, offset: life.ends.latest)
        }
        return heads
    }

    private func everything(of publisher: UInt16) -> NumberSet {
        var all = NumberSet()
        for (name, life) in lives where !name.isEphemeral {
            guard let stored = life.stored[publisher] else { continue }
            for number in stored.numbers { all.insert(number) }
        }
        return all
    }

    // MARK: Who says what

    private mutating func claim(
        _ tag: EventTag, at place: Place, mark: UInt8, by witness: String
    ) {
        guard place.offset > 0 else { return violated("\(witness) puts \(tag) at \(place)") }
        let index = Int(place.offset) - 1
        var life = lives.removeValue(forKey: place.life) ?? Record(topic: tag.topic)
        defer { lives[place.life] = life }
        if life.topic != tag.topic {
            violated("\(witness) has \(tag) on \(life.topic), at \(place)")
        }
        if life.words.count <= index {
            let missing = index + 1 - life.words.count
            life.words += repeatElement(0, count: missing)
            life.marks += repeatElement(0, count: missing)
        }
        life.marks[index] |= mark
        guard life.words[index] == 0 else {
            if life.words[index] != tag.word {
                violated(
                    "\(witness) has \(tag) at \(place), others have "
                        + EventTag.words(life.words[index]))
            }
            return
        }
        life.words[index] = tag.word
        if !life.stored[tag.publisher, default: NumberSet()].insert(tag.number) {
            let first = life.words.firstIndex(of: tag.word).map { $0 + 1 } ?? 0
            violated("\(tag) is stored twice, at \(first) and at \(place) (\(witness))")
        }
        if refused[tag.publisher]?.contains(tag.number) == true {
            violated("\(tag) is at \(place), and its publisher was told that it is not stored")
        }
    }
}
