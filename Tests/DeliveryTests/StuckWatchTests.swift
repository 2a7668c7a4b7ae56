import Delivery
import Testing

@Suite("A peer for which something waits") struct StuckWatchTests {
    private let start = ContinuousClock.now
    private var watch: StuckWatch

    init() {
        watch = StuckWatch(timeout: .seconds(300), restInterval: .seconds(20), now: start)
    }

    private mutating func isStuck(
        at seconds: Int, taken: UInt64, waits: Bool = true, inSocket: Bool = true
    ) -> Bool {
        watch.isStuck(now: start + .seconds(seconds), isWaiting: waits) { (taken, inSocket) }
    }

    @Test mutating func `is stuck when it takes nothing for the whole time`() {
        for second in stride(from: 1, through: 300, by: 1) {
            #expect(!isStuck(at: second, taken: 0))
        }
        #expect(isStuck(at: 301, taken: 0))
    }

    @Test mutating func `is alive as long as it takes a byte now and then`() {
        for round in 1...20 {
            #expect(!isStuck(at: round * 299, taken: UInt64(round)))
        }
        #expect(isStuck(at: 20 * 299 + 300, taken: 20))
    }

    @Test mutating func `begins anew when nothing waits any more`() {
        #expect(!isStuck(at: 1, taken: 5))
        #expect(!isStuck(at: 200, taken: 5, waits: false, inSocket: false))
        #expect(!isStuck(at: 201, taken: 5))
        #expect(!isStuck(at: 400, taken: 5))
        #expect(isStuck(at: 501, taken: 5))
    }

    @Test mutating func `is looked at rarely while nothing is known to wait`() {
        var looks = 0
        for second in 1...100 {
            _ = watch.isStuck(now: start + .seconds(second), isWaiting: false) {
                looks += 1
                return (0, false)
            }
        }
        #expect(looks == 5)
    }

    @Test mutating func `is stuck when what waits is in its own system's way alone`() {
        #expect(!isStuck(at: 20, taken: 9, waits: false))
        #expect(isStuck(at: 320, taken: 9, waits: false))
    }

    @Test mutating func `is not stuck where nobody can tell`() {
        for second in stride(from: 20, through: 1000, by: 20) {
            let isStuck = watch.isStuck(now: start + .seconds(second), isWaiting: false) { nil }
            #expect(!isStuck)
        }
    }
}
