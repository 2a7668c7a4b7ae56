import EventModel
import FanOut
import RepeatableChance
import Testing

@Suite("A topic at a rate") struct TopicPacerTests {
    private static let start = ContinuousClock.now

    /// A pacer and what came out of it, with milliseconds as time.
    private struct Paced {
        var pacer: TopicPacer<String>
        var outputs: [TopicPacer<String>.Output] = []

        init(_ eventsPerSecond: Int, keysMax: Int = 100) {
            pacer = TopicPacer(
                eventsPerSecond: eventsPerSecond, keysMax: keysMax, now: TopicPacerTests.start)
        }

        mutating func received(_ offset: Offset, _ key: String? = nil, at time: Int) {
            pacer.received(
                "\(key ?? "-")\(offset)", offset: offset, key: key,
                now: TopicPacerTests.start + .milliseconds(time), into: &outputs)
        }

        mutating func comeDue(at time: Int) {
            pacer.comeDue(now: TopicPacerTests.start + .milliseconds(time), into: &outputs)
        }

        /// What came out since the last time.
        mutating func taken() -> [TopicPacer<String>.Output] {
            defer { outputs = [] }
            return outputs
        }
    }

    @Test func `gives an event at once while it is slower than the rate`() {
        var paced = Paced(10)
        for number in 1...5 {
            paced.received(Offset(number), "a", at: number * 200)
            #expect(paced.taken() == [.event("a\(number)", offset: Offset(number))])
            #expect(paced.pacer.deadline == nil)
        }
    }

    @Test func `keeps the newest event of each key until its turn`() throws {
        var paced = Paced(10)
        paced.received(1, "a", at: 0)
        paced.received(2, "a", at: 10)
        paced.received(3, "b", at: 20)
        paced.received(4, "a", at: 30)
        #expect(paced.taken() == [.event("a1", offset: 1)])
        let deadline = try #require(paced.pacer.deadline)
        #expect(deadline > Self.start + .milliseconds(99))
        #expect(deadline <= Self.start + .milliseconds(101))
        paced.comeDue(at: 90)
        #expect(paced.taken() == [])
        paced.comeDue(at: 101)
        #expect(paced.taken() == [.conflated(2...2), .event("b3", offset: 3)])
        paced.comeDue(at: 202)
        #expect(paced.taken() == [.event("a4", offset: 4)])
        #expect(paced.pacer.deadline == nil)
    }

    @Test func `has one place for all events without a key`() {
        var paced = Paced(1)
        for offset in 1...4 { paced.received(Offset(offset), at: offset) }
        paced.received(5, "", at: 5)
        paced.comeDue(at: 2000)
        paced.comeDue(at: 4000)
        #expect(
            paced.taken() == [
                .event("-1", offset: 1), .conflated(2...3), .event("-4", offset: 4),
                .event("5", offset: 5),
            ])
    }

    @Test func `gives every key its turn, however often one changes`() {
        var paced = Paced(10)
        var offset: Offset = 0
        for time in 0..<10_000 {
            offset += 1
            paced.received(offset, time % 2 == 0 ? "hot" : "cold\(time / 2 % 50)", at: time)
        }
        let hot = paced.outputs.filter { output in
            if case .event(let text, _) = output { text.hasPrefix("hot") } else { false }
        }.count
        #expect(hot >= 2)
    }

    @Test func `conflates the oldest when more keys wait than may`() {
        var paced = Paced(1, keysMax: 2)
        for (offset, key) in ["a", "b", "c", "d", "e"].enumerated() {
            paced.received(Offset(offset + 1), key, at: offset)
        }
        #expect(paced.pacer.waitingCount == 2)
        paced.comeDue(at: 2000)
        paced.comeDue(at: 4000)
        #expect(
            paced.taken() == [
                .event("a1", offset: 1), .conflated(2...3), .event("d4", offset: 4),
                .event("e5", offset: 5),
            ])
    }

    @Test func `tells what was conflated over offsets that never came`() {
        var paced = Paced(1)
        paced.received(1, "a", at: 0)
        for offset in [5, 9, 14] { paced.received(Offset(offset), "a", at: offset) }
        paced.comeDue(at: 2000)
        #expect(
            paced.taken() == [
                .event("a1", offset: 1), .conflated(5...9), .event("a14", offset: 14),
            ])
    }

    @Test func `gives all when the rate ends, and goes on at another`() {
        var paced = Paced(1)
        for offset in 1...3 { paced.received(Offset(offset), "k\(offset)", at: 0) }
        paced.pacer.release(into: &paced.outputs)
        #expect(
            paced.taken() == [
                .event("k11", offset: 1), .event("k22", offset: 2), .event("k33", offset: 3),
            ])
        paced.pacer.changeRate(eventsPerSecond: 100, now: Self.start)
        paced.received(4, "a", at: 500)
        #expect(paced.taken() == [])
        paced.received(5, "b", at: 1001)
        paced.received(6, "c", at: 1012)
        #expect(paced.taken() == [.event("a4", offset: 4), .event("b5", offset: 5)])
    }

    @Test(arguments: [1, 7, 100, 250, 1000, 20_000])
    func `never gives more in a second, and loses nothing`(rate: Int) {
        var chance = SeededGenerator()
        print("TopicPacerTests seed \(chance.seed)")
        var paced = Paced(rate, keysMax: 20)
        var times: [Offset: Int] = [:]
        var time = 0
        var offset: Offset = 0
        var seen = 0
        var last: Offset = 0
        var told: Set<Offset> = []
        var conflatedCount = 0
        var latest: [String: Offset] = [:]
        for _ in 0..<5000 {
            time += chance.pick([0, 0, 0, 1, 1, 5, chance.pick(0...50)])
            if chance.chance(80) {
                offset += 1
                let key = "k\(chance.pick(0...30))"
                latest[key] = offset
                paced.received(offset, key, at: time)
            } else {
                paced.comeDue(at: time)
            }
            #expect(paced.pacer.waitingCount <= 40)
            for output in paced.taken() {
                switch output {
                case .event(_, let offset):
                    #expect(offset > last)
                    last = offset
                    times[offset] = time
                    told.insert(offset)
                    seen += 1
                case .conflated(let range):
                    #expect(range.lowerBound > last)
                    last = range.upperBound
                    told.formUnion(range)
                    conflatedCount += range.count
                }
            }
        }
        paced.pacer.release(into: &paced.outputs)
        for output in paced.taken() {
            switch output {
            case .event(_, let offset): told.insert(offset)
            case .conflated(let range): told.formUnion(range)
            }
        }
        #expect(told == Set(1...offset))
        let sorted = times.values.sorted()
        for (index, time) in sorted.enumerated() where index + rate < sorted.count {
            #expect(sorted[index + rate] - time >= 1000)
        }
        #expect(seen > 0 && (rate > 100 || conflatedCount > 0))
    }
}
