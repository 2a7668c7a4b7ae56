import EventModel
import Testing

@testable import DurableLog

@Suite("A watch over the database's clock") struct ClockWatchTests {
    private var watch = ClockWatch()
    private let began = ContinuousClock.now
    private let start = Timestamp(microseconds: 1_767_225_600_000_000)

    /// Looks at `seconds` of our clock, when the database's shows `clock` seconds; the answer takes
    /// `delay` seconds.
    private mutating func look(
        _ seconds: Double, clock: Double, delay: Double = 0, in incarnation: String = "first"
    ) -> Bool {
        let asked = began + .seconds(seconds)
        return watch.looked(
            at: start.advanced(by: .seconds(clock)), in: incarnation, asked: asked,
            answered: asked + .seconds(delay))
    }

    @Test mutating func `sees no fall in a clock that goes on, or jumps ahead`() {
        #expect(!look(0, clock: 0))
        #expect(!look(1, clock: 1))
        #expect(!look(2, clock: 3600))
        #expect(!look(3, clock: 3601))
    }

    @Test mutating func `sees a fall by more than 30 s, however long nobody looked`() {
        #expect(!look(0, clock: 0))
        #expect(!look(1, clock: -28.9))
        #expect(look(1, clock: -29.1))
        #expect(look(100, clock: 69))
        #expect(!look(100, clock: 71))
    }

    @Test mutating func `adds up what a clock falls by in one incarnation`() {
        #expect(!look(0, clock: 0))
        #expect(!look(10, clock: -10))
        #expect(look(20, clock: -20))
    }

    @Test mutating func `begins anew with an incarnation`() {
        #expect(!look(0, clock: 0))
        #expect(look(1, clock: -100))
        #expect(!look(2, clock: -99, in: "second"))
        #expect(!look(3, clock: -98, in: "second"))
        #expect(look(4, clock: -200, in: "second"))
    }

    @Test mutating func `takes neither a slow answer nor a slow clock for a fall`() {
        #expect(!look(0, clock: 0, delay: 60))
        // Told at once and heard a minute later, then heard at once.
        #expect(!look(61, clock: 61))
        #expect(!look(62, clock: 62, delay: 100))
        #expect(!look(163, clock: 163))
        // Slewed for a week, by 500 ppm.
        for hour in 1...168 {
            let seconds = Double(hour) * 3600
            #expect(!look(163 + seconds, clock: 163 + seconds * 0.9995))
        }
    }
}
