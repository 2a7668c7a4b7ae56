import Testing

@testable import SluiceClient

/// Chance that always says the same.
private struct Constant: RandomNumberGenerator {
    var value: UInt64
    mutating func next() -> UInt64 { value }
}

@Suite("A client whose connection was lost") struct ReconnectBackoffTests {
    private func waits(
        _ count: Int, lasted: Duration? = nil, asked: Duration? = nil, chance: UInt64 = .max
    ) -> [Duration] {
        var backoff = ReconnectBackoff()
        var jitter = Constant(value: chance)
        return (0..<count).map { _ in
            backoff.wait(lasted: lasted, asked: asked, jitter: &jitter)
        }
    }

    @Test func `waits twice as long after each failure, up to a bound`() {
        let waits = waits(10)
        for (first, second) in zip(waits, waits.dropFirst()) { #expect(second >= first) }
        #expect(waits[0] > .milliseconds(240) && waits[0] <= ReconnectBackoff.first)
        #expect(waits[1] > .milliseconds(490) && waits[1] <= .milliseconds(500))
        #expect(waits[9] > .seconds(29) && waits[9] <= ReconnectBackoff.longest)
    }

    @Test func `is scattered over the upper half of the wait`() {
        #expect(waits(1, chance: 0)[0] == ReconnectBackoff.first / 2)
    }

    @Test func `begins with a short wait again after a session that lasted`() {
        #expect(waits(5, lasted: .seconds(5)).allSatisfy { $0 <= ReconnectBackoff.first })
    }

    @Test func `goes on doubling when sessions end at once`() {
        #expect(waits(5, lasted: .seconds(1))[4] > .seconds(3))
    }

    @Test func `never comes back before the broker asked for it`() {
        #expect(waits(3, asked: .seconds(3), chance: 0).allSatisfy { $0 > .seconds(3) })
    }
}
