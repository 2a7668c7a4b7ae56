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

    @Test("of a filtered subscriber misses only what fits, and wants nothing else")
    func filtered() {
        var check = DeliveryCheck(behind: 0, share: EventShare(hundredths: 2))
        check.event(1)
        check.event(2)
        check.event(101)
        #expect(check.tally.isSound)
        #expect(check.has(101))
        #expect(!check.has(102))
        check.event(201)
        #expect(check.tally.lost == 1)
        #expect(check.has(201))
        #expect(!check.has(300))
        check.event(203)
        #expect(check.tally.unwanted == 1)
        #expect(check.tally.lost == 2)
        #expect(check.has(300))
    }

    @Test("counts a filter's events as if they were asked one by one", arguments: [0, 1, 37, 100])
    func shares(hundredths: Int) {
        let share = EventShare(hundredths: hundredths)
        for first in Int64(0)..<120 {
            for last in first..<250 {
                let exact = last > first ? ((first + 1)...last).count { share.has($0) } : 0
                #expect(share.count(in: first, last) == Int64(exact))
            }
        }
    }
}
