import EventModel
import FaultTest
import SessionProtocol
import Testing

@Suite("What a subscriber of a fault test is told") struct SubscriberCheckTests {
    private var ledger = Ledger()
    private var check: SubscriberCheck
    private let topic: TopicName

    init() throws {
        topic = try TopicName("t")
        check = SubscriberCheck(
            name: "reader", patterns: [try TopicPattern("t")], isFromEarliest: true)
    }

    private func epoch(_ life: Int32, _ incarnation: String = "0123456789") -> Epoch {
        Epoch(incarnation: incarnation, topicID: life)
    }

    private mutating func event(
        _ offset: Offset, life: Int32 = 7, incarnation: String = "0123456789"
    ) {
        let data = EventTag(topic: "t", publisher: 1, number: offset).data()
        let event = Event(
            offset: offset, time: Timestamp(microseconds: 0), content: NewEvent(data: data))
        check.received(
            .event(EventMessage(topic: topic, epoch: epoch(life, incarnation), event: event)),
            &ledger)
    }

    private mutating func gap(_ from: Offset, _ to: Offset) {
        check.received(
            .gap(.init(topic: topic, epoch: epoch(7), from: from, to: to, reason: .purged)), &ledger
        )
    }

    private mutating func reset(to cursor: Cursor?, _ reason: ResetReason) {
        check.received(.reset(.init(topic: topic, cursor: cursor, reason: reason)), &ledger)
    }

    @Test mutating func `is every offset once, or a gap`() {
        event(1)
        event(2)
        gap(3, 5)
        event(6)
        #expect(ledger.violations == [])
        #expect(ledger.counts.seen == 3)
        #expect(ledger.counts.gaps == 1)
        #expect(check.unseen(of: ["t": Place(life: 7, offset: 6)]) == [])
    }

    @Test mutating func `goes on in another incarnation of the log`() {
        event(1)
        event(2, incarnation: "abcdefghij")
        #expect(ledger.violations == [])
    }

    @Test mutating func `is noticed when an offset is left out`() {
        event(1)
        event(3)
        #expect(
            ledger.violations == ["reader: event 3 of t after 1 of life 7, behind an untold hole"])
    }

    @Test(arguments: [[1, 2, 2], [1, 2, 1]] as [[Offset]])
    mutating func `is noticed when an offset comes again`(offsets: [Offset]) {
        for offset in offsets { event(offset) }
        #expect(ledger.violations.count == 1)
        #expect(ledger.violations.allSatisfy { $0.contains("again or out of order") })
    }

    @Test mutating func `is noticed when a gap covers what was delivered`() {
        event(1)
        event(2)
        gap(2, 4)
        #expect(ledger.violations.count == 1)
    }

    @Test mutating func `is noticed when the first events are missing and kept`() {
        event(3)
        ledger.found(7, of: "t", Ledger.TopicEnds(latest: 3))
        ledger.explainGaps(ledger.openGapCount)
        #expect(ledger.violations.count == 1)
    }

    @Test mutating func `is noticed when a new life comes without a reset`() {
        event(1)
        event(1, life: 8)
        #expect(ledger.violations.count == 1)
    }

    @Test mutating func `goes on in a new life after a reset`() {
        event(1)
        reset(to: nil, .deleted)
        reset(to: Cursor(epoch: epoch(8), offset: 0), .recreated)
        event(1, life: 8)
        ledger.found(7, of: "t", Ledger.TopicEnds(isDeleted: true))
        #expect(ledger.violations == [])
        #expect(ledger.counts.resets == 2)
    }

    @Test mutating func `is noticed when a reset is due to lost events`() {
        event(2)
        reset(to: Cursor(epoch: epoch(7), offset: 1), .restored)
        #expect(ledger.violations.count == 1)
    }

    @Test mutating func `is noticed when the subscription goes on elsewhere`() {
        event(1)
        event(2)
        let stands = BrokerMessage.Subscribed.Topic(
            topic: topic, cursor: Cursor(epoch: epoch(7), offset: 3), earliest: 1, latest: 3)
        check.received(.subscribed(.init(id: 1, topics: [stands])), &ledger)
        #expect(ledger.violations.count == 1)
    }

    @Test mutating func `is a reset when an ephemeral topic begins anew`() throws {
        let topic = try TopicName("ephemeral.t")
        check = SubscriberCheck(
            name: "reader", patterns: [try TopicPattern("ephemeral.*")], isFromEarliest: false)
        for (incarnation, isTold) in [
            ("0123456789", true), ("abcdefghij", true), ("klmnopqrst", false),
        ] {
            let epoch = epoch(7, incarnation)
            if isTold {
                let cursor = Cursor(epoch: epoch, offset: 0)
                check.received(
                    .reset(.init(topic: topic, cursor: cursor, reason: .restored)), &ledger)
            }
            let tag = EventTag(topic: topic.text, publisher: 1, number: 1)
            let event = Event(
                offset: 1, time: Timestamp(microseconds: 0), content: NewEvent(data: tag.data()))
            check.received(
                .event(EventMessage(topic: topic, epoch: epoch, event: event)), &ledger)
            #expect(ledger.violations.count == (isTold ? 0 : 1))
        }
    }

    @Test mutating func `is noticed when its end is missing`() {
        event(1)
        #expect(check.unseen(of: ["t": Place(life: 7, offset: 2)]).count == 1)
        #expect(check.unseen(of: ["t": Place(life: 8, offset: 1)]).count == 1)
        #expect(check.unseen(of: ["u": Place(life: 9, offset: 1)]) == [])
    }
}
