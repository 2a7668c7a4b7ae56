import EventModel
import FaultTest
import SessionProtocol
import Testing

@Suite("The ledger of a fault test") struct LedgerTests {
    private var ledger = Ledger()

    private func tag(_ number: Int64, topic: String = "t", publisher: UInt16 = 1) -> EventTag {
        EventTag(topic: topic, publisher: publisher, number: number)
    }

    private func place(_ offset: Offset, life: Life = 7) -> Place {
        Place(life: life, offset: offset)
    }

    private mutating func acknowledge(_ numbers: ClosedRange<Int64>) {
        for number in numbers { ledger.acknowledged(tag(number), at: place(number)) }
    }

    private mutating func readLog(_ numbers: [Int64], earliest: Offset = 1, latest: Offset? = nil) {
        let latest = latest ?? Offset(numbers.count)
        ledger.found(7, of: "t", Ledger.TopicEnds(earliest: earliest, latest: latest))
        for (index, number) in numbers.enumerated() {
            ledger.read(
                tag(number), at: place(earliest + Offset(index)), isOrdered: true)
        }
    }

    @Test mutating func `accepts what is acknowledged, stored and seen once`() {
        acknowledge(1...3)
        readLog([1, 2, 3])
        for number in 1...3 as ClosedRange<Int64> {
            ledger.delivered(tag(number), at: place(number), to: "reader")
        }
        ledger.settle()
        #expect(ledger.violations == [])
        #expect(
            ledger.counts == Ledger.Counts(acknowledged: 3, stored: 3, seen: 3))
        #expect(ledger.heads == ["t": place(3)])
    }

    @Test mutating func `notices an acknowledged event that the log lost`() {
        acknowledge(1...3)
        readLog([1, 2])
        ledger.settle()
        #expect(
            ledger.violations == [
                "event 3 of publisher 1 was acknowledged at 3 of t (life 7), "
                    + "and the log does not have it"
            ])
    }

    @Test mutating func `does not miss what retention took`() {
        acknowledge(1...3)
        readLog([3], earliest: 3, latest: 3)
        ledger.settle()
        #expect(ledger.violations == [])
    }

    @Test mutating func `notices an event that is stored twice`() {
        acknowledge(1...2)
        readLog([1, 2, 1])
        ledger.settle()
        #expect(ledger.violations.contains { $0.contains("stored twice, at 1 and at 3 of life 7") })
    }

    @Test mutating func `takes an event in two lives of a topic for a retry after its deletion`() {
        ledger.acknowledged(tag(1), at: place(1, life: 7))
        ledger.acknowledged(tag(1), at: place(1, life: 8))
        #expect(ledger.violations == [])
    }

    @Test mutating func `notices two events at one place`() {
        ledger.acknowledged(tag(1), at: place(1))
        ledger.delivered(tag(2), at: place(1), to: "reader")
        #expect(
            ledger.violations == [
                "reader has event 2 of publisher 1 on t at 1 of life 7, others have "
                    + "event 1 of publisher 1"
            ])
    }

    @Test mutating func `notices an event on another topic than it was published to`() {
        ledger.found(7, of: "t", Ledger.TopicEnds())
        ledger.delivered(tag(1, topic: "u"), at: place(1), to: "reader")
        #expect(ledger.violations.count == 1)
    }

    @Test(arguments: [true, false])
    mutating func `notices a stored event that was answered with committed no`(isFirst: Bool) {
        if isFirst { ledger.refused(tag(1)) }
        ledger.found(7, of: "t", Ledger.TopicEnds(latest: 1))
        ledger.read(tag(1), at: place(1), isOrdered: true)
        if !isFirst { ledger.refused(tag(1)) }
        #expect(ledger.violations.count == 1)
    }

    @Test mutating func `notices a publisher's events out of their order`() {
        readLog([2, 1])
        #expect(ledger.violations.count == 1)
    }

    @Test mutating func `notices a hole that a transaction left`() {
        ledger.committed(tag(1, publisher: 2))
        readLog([1])
        ledger.settle()
        #expect(
            ledger.violations == ["event 1 of publisher 2 was committed, and is nowhere"])
    }

    private let fleeting = Life(id: 9, incarnation: "0123456789")

    private func fleetingTag(_ number: Int64) -> EventTag {
        tag(number, topic: "ephemeral.t", publisher: 4)
    }

    @Test mutating func `keeps the lives of an ephemeral topic apart, and misses no row of it`() {
        ledger.acknowledged(fleetingTag(1), at: Place(life: fleeting, offset: 1))
        let next = Life(id: 9, incarnation: "abcdefghij")
        ledger.acknowledged(fleetingTag(2), at: Place(life: next, offset: 1))
        ledger.settle()
        #expect(ledger.violations == [])
        #expect(ledger.counts.emitted == 2)
    }

    @Test(arguments: [0, 1])
    mutating func `notices an offset of an ephemeral topic that is nobody's`(unsure: Int) {
        if unsure > 0 { ledger.mayBeEmitted(fleetingTag(1)) }
        ledger.acknowledged(fleetingTag(2), at: Place(life: fleeting, offset: 2))
        ledger.settle()
        #expect(ledger.violations.count == 1 - unsure)
    }

    @Test mutating func `notices an event of an ephemeral topic in two of its lives`() {
        ledger.acknowledged(fleetingTag(1), at: Place(life: fleeting, offset: 1))
        let next = Life(id: 9, incarnation: "abcdefghij")
        ledger.delivered(fleetingTag(1), at: Place(life: next, offset: 1), to: "reader")
        ledger.settle()
        #expect(ledger.violations.count == 1)
    }

    @Test mutating func `notices events of an ephemeral topic out of their order`() {
        ledger.acknowledged(fleetingTag(2), at: Place(life: fleeting, offset: 1))
        ledger.acknowledged(fleetingTag(1), at: Place(life: fleeting, offset: 2))
        ledger.settle()
        #expect(ledger.violations.count == 1)
    }

    private func gap(_ from: Offset, _ to: Offset, _ reason: GapReason) throws -> BrokerMessage.Gap
    {
        BrokerMessage.Gap(
            topic: try TopicName("t"), epoch: Epoch(incarnation: "0123456789", topicID: 7),
            from: from, to: to, reason: reason)
    }

    @Test mutating func `accepts gaps that retention and a purge explain`() throws {
        ledger.toldGap(try gap(1, 2, .purged), to: "reader")
        ledger.toldGap(try gap(3, 4, .retention), to: "reader")
        ledger.found(7, of: "t", Ledger.TopicEnds(earliest: 5, latest: 9, purgedBelow: 3))
        ledger.explainGaps(2)
        #expect(ledger.violations == [])
    }

    @Test(arguments: [GapReason.purged, .retention])
    mutating func `notices gaps that nothing explains`(reason: GapReason) throws {
        ledger.toldGap(try gap(3, 5, reason), to: "reader")
        ledger.found(7, of: "t", Ledger.TopicEnds(earliest: 5, latest: 9, purgedBelow: 3))
        ledger.explainGaps(1)
        #expect(ledger.violations.count == 1)
    }

    @Test mutating func `notices a topic that is over for a subscriber only`() {
        acknowledge(1...1)
        readLog([1])
        ledger.wasLeft(7, by: "reader")
        ledger.settle()
        #expect(ledger.violations == ["reader was told that life 7 of t is over"])
    }
}
