import RepeatableChance
import DurableLog
import EventModel
import Testing

private let heldBytesMax = 1 << 20

@Suite("The gate of a followed topic") struct TopicGateTests {
    func events(_ offsets: ClosedRange<Offset>, bytes: Int = 1) -> [Event] {
        offsets.map {
            Event(
                offset: $0, time: Timestamp(microseconds: $0),
                content: NewEvent(data: Array(repeating: 0x31, count: bytes)))
        }
    }

    func started(behind offset: Offset) -> TopicGate {
        var gate = TopicGate(heldBytesMax: heldBytesMax)
        _ = gate.start(behind: offset)
        return gate
    }

    @Test func `lets the next events through`() {
        var gate = started(behind: 4)
        #expect(gate.arrived(events(5...6)).map(\.offset) == [5, 6])
        #expect(gate.arrived(events(7...7)).map(\.offset) == [7])
        #expect(gate.hole == nil)
    }

    @Test func `drops what went through before`() {
        var gate = started(behind: 4)
        #expect(gate.arrived(events(3...4)).isEmpty)
        #expect(gate.arrived(events(3...6)).map(\.offset) == [5, 6])
        #expect(gate.arrived(events(5...6)).isEmpty)
        #expect(gate.last == 6)
    }

    @Test func `holds what leaves a hole, until the hole is filled`() {
        var gate = started(behind: 4)
        #expect(gate.arrived(events(8...9)).isEmpty)
        #expect(gate.arrived(events(6...6)).isEmpty)
        #expect(gate.hole == 4)
        #expect(gate.arrived(events(5...5)).map(\.offset) == [5, 6])
        #expect(gate.hole == 6)
        #expect(gate.arrived(events(7...8)).map(\.offset) == [7, 8, 9])
        #expect(gate.hole == nil)
    }

    @Test func `asks for what it only heard of`() {
        var gate = started(behind: 4)
        gate.heard(head: 4)
        #expect(gate.hole == nil)
        gate.heard(head: 7)
        #expect(gate.hole == 4)
        #expect(gate.arrived(events(5...7)).count == 3)
        #expect(gate.hole == nil)
    }

    @Test func `forgets what it heard when the log says otherwise`() {
        var gate = started(behind: 4)
        gate.heard(head: 999_999_999)
        #expect(gate.hole == 4)
        gate.read(head: 4)
        #expect(gate.hole == nil)
        gate.heard(head: 6)
        #expect(gate.arrived(events(5...5)).count == 1)
        #expect(gate.hole == 5)
    }

    @Test func `does not forget what arrived while the log was read`() {
        var gate = started(behind: 0)
        // Too much to hold: the hole's pages have to bring it again.
        #expect(gate.arrived(events(2...2, bytes: heldBytesMax + 1)).isEmpty)
        #expect(gate.arrived(events(1...1)).count == 1)
        gate.read(head: 1)
        #expect(gate.hole == 1)
    }

    @Test func `holds everything until it is known where to begin`() {
        var gate = TopicGate(heldBytesMax: heldBytesMax)
        #expect(gate.arrived(events(5...6)).isEmpty)
        #expect(gate.hole == nil)
        #expect(gate.arrived(events(7...8)).isEmpty)
        #expect(gate.start(behind: 6).map(\.offset) == [7, 8])
        #expect(gate.hole == nil)
    }

    @Test func `reads what it could not hold`() {
        var gate = started(behind: 0)
        #expect(gate.arrived(events(2...2, bytes: heldBytesMax)).isEmpty)
        #expect(gate.arrived(events(3...3, bytes: 2)).isEmpty)
        #expect(gate.hole == 0)
        #expect(gate.arrived(events(1...1)).map(\.offset) == [1])
        #expect(gate.hole == 1)
        #expect(gate.arrived(events(2...3)).map(\.offset) == [2, 3])
        #expect(gate.hole == nil)
    }

    @Test func `skips what the log does not keep`() {
        var gate = started(behind: 4)
        #expect(gate.arrived(events(9...10)).isEmpty)
        #expect(gate.skip(to: 8).map(\.offset) == [9, 10])
        #expect(gate.skip(to: 3).isEmpty)
        #expect(gate.last == 10)
    }

    @Test func `lets each event through once, in any order of arrival`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        for _ in 1...200 {
            var gate = started(behind: 0)
            var through: [Offset] = []
            var arrivals: [ClosedRange<Offset>] = (1...12).map { _ in
                let first = Offset.random(in: 1...30, using: &random)
                return first...(first + Offset.random(in: 0...5, using: &random))
            }
            arrivals.shuffle(using: &random)
            for arrival in arrivals { through += gate.arrived(events(arrival)).map(\.offset) }
            while let hole = gate.hole {
                through += gate.arrived(events(hole + 1...hole + 3)).map(\.offset)
            }
            #expect(through == Array(1...Offset(through.count)), "seed \(seed)")
        }
    }
}
