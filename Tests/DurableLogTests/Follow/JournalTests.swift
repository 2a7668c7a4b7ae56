import DurableLog
import EventModel
import Testing

@Suite("Announces and the journal") struct JournalTests {
    @Test func `an announce survives its payload`() {
        let announce = JournalAnnounce(
            incarnation: "abc", writer: .max, seq: 17, heads: [5: 9, 3: 1_000_000])
        #expect(announce.payloads() == ["abc 9223372036854775807 17 3:1000000 5:9"])
        #expect(JournalAnnounce(payload: announce.payloads()[0]) == announce)
    }

    @Test func `a long announce is split below the limit of NOTIFY`() {
        var heads: [Int32: Offset] = [:]
        for id in Int32(1)...2000 { heads[id + 1_000_000] = Offset(id) + (1 << 40) }
        let announce = JournalAnnounce(incarnation: "abcdefghij", writer: 1, seq: 2, heads: heads)
        let payloads = announce.payloads()
        #expect(payloads.count > 1)
        #expect(payloads.allSatisfy { $0.utf8.count < 8000 })
        var merged: [Int32: Offset] = [:]
        for payload in payloads {
            merged.merge(JournalAnnounce(payload: payload)?.heads ?? [:]) { $1 }
        }
        #expect(merged == heads)
    }

    @Test(arguments: [
        "", "a", "a b c", "a 1", "a 1 2 3", "a 1 2 3:x", "a 1 2 :", "a -1 2", "a 1 -1",
        "a 1 -9223372036854775808", "a 1 9007199254740992", "a 1 2 -3:1", "a 1 2 0:1",
        "a 1 2 3:-1", "a 1 2 3:9007199254740992", "a 1 2 3:4 5:9223372036854775807",
    ])
    func `what is no announce is ignored`(_ payload: String) {
        #expect(JournalAnnounce(payload: payload) == nil)
    }

    @Test func `a row's parts are read with their own times`() {
        #expect(
            JournalPart.parse("3:1-2 40:7-7@1767225600000000") == [
                JournalPart(topicID: 3, first: 1, last: 2),
                JournalPart(
                    topicID: 40, first: 7, last: 7,
                    time: Timestamp(microseconds: 1_767_225_600_000_000)),
            ])
        #expect(JournalPart.parse("") == [])
    }

    @Test func `the journal goes on behind the rows that were read`() {
        var positions = JournalPositions()
        positions.reached(writer: 2, seq: 4)
        positions.reached(writer: 1, seq: 7)
        #expect(positions.writers == [1, 2])
        #expect(positions.seqs == [7, 4])
        positions.reached(writer: 1, seq: 3)
        #expect(positions.seqs == [7, 4])
        positions.keep([2])
        #expect(positions.writers == [2])
    }
}
