import Testing

@testable import Bench

@Suite("The check of what a subscriber gets")
struct DeliveryCheckTests {
    @Test("finds nothing in offsets that follow one another, or are told")
    func sound() {
        var check = DeliveryCheck(behind: 3)
        check.event(4)
        check.gap(5, 9)
        check.event(10)
        #expect(check.tally.isSound)
        #expect(check.tally.events == 2)
        #expect(check.tally.told == 5)
        #expect(check.position == 10)
    }

    @Test("finds offsets that were passed over, before events and before gaps")
    func lost() {
        var check = DeliveryCheck(behind: 0)
        check.event(3)
        check.gap(6, 7)
        #expect(check.tally.lost == 4)
        #expect(!check.tally.isSound)
    }

    @Test("finds events that come again, or too late")
    func repeated() {
        var check = DeliveryCheck(behind: 0)
        check.event(1)
        check.event(1)
        check.event(2)
        check.event(1)
        #expect(check.tally.repeated == 2)
        #expect(check.tally.events == 4)
        #expect(!check.tally.isSound)
    }

    @Test("counts a gap that reaches back from where the subscriber stands only once")
    func overlapping() {
        var check = DeliveryCheck(behind: 4)
        check.gap(2, 6)
        check.gap(1, 6)
        #expect(check.tally.told == 2)
        #expect(check.tally.lost == 0)
    }

    @Test("does not pass a connection that was lost")
    func closed() {
        var check = DeliveryCheck(behind: 0)
        check.closed()
        #expect(!check.tally.isSound)
    }
}
