import EventModel
import Testing

@testable import Bench

@Suite("The pace of a benchmark's events")
struct PaceTests {
    @Test("of a rate does not wait for anybody but the session's own limit")
    func rate() {
        let pace = PublishPace.rate(1000)
        #expect(pace.due(0) == 0)
        #expect(pace.due(5) == 5_000_000)
        #expect(!pace.isDue(sent: 5, answered: 0, through: 0, elapsed: 4_999_999))
        #expect(pace.isDue(sent: 5, answered: 0, through: 0, elapsed: 5_000_000))
        let most = PublishPace.unansweredMax
        #expect(!pace.isDue(sent: most, answered: 0, through: 0, elapsed: .max))
        #expect(pace.isDue(sent: most, answered: 1, through: 0, elapsed: .max))
    }

    @Test("of some that are under way waits for answers and arrivals")
    func outstanding() {
        let pace = PublishPace.outstanding(2)
        #expect(pace.due(7) == nil)
        #expect(pace.isDue(sent: 1, answered: 0, through: 0, elapsed: 0))
        #expect(!pace.isDue(sent: 2, answered: 2, through: 0, elapsed: .max))
        #expect(!pace.isDue(sent: 2, answered: 0, through: 2, elapsed: .max))
        #expect(pace.isDue(sent: 2, answered: 1, through: 1, elapsed: 0))
    }

    @Test("knows that an event is through when all have it, in any order of events")
    func arrivals() {
        var count = ArrivalCount()
        func isThrough(_ offset: Offset) -> Bool { count.arrived(offset) }
        #expect(!isThrough(1))
        count.join()
        count.join()
        #expect(!isThrough(1))
        #expect(!isThrough(2))
        #expect(isThrough(2))
        #expect(isThrough(1))
        let wrapped = Offset(ArrivalCount.window) + 1
        #expect(!isThrough(wrapped))
        #expect(isThrough(wrapped))
    }
}
