internal import EventModel
internal import Testing

@testable internal import FanOut

@Suite("Events that are held") struct HeldEventTests {
    private var held = HeldEvents()
    private let topic: TopicName

    init() throws { topic = try TopicName("orders") }

    private func event(_ offset: Offset, _ key: String? = nil, bytes: Int = 36) -> SharedEvent {
        SharedEvent(TestFrame.event(offset, bytes: bytes, key: key), of: topic, epoch: .one)
    }

    private mutating func conflate(_ keys: [String?], from first: Offset = 1) {
        for (index, key) in keys.enumerated() { held.conflate(event(first + Offset(index), key)) }
    }

    private mutating func taken(_ count: Int = .max) -> [String] {
        var lines: [String] = []
        while lines.count < count, let next = held.next {
            switch next {
            case .event(let event): lines.append("\(event.offset)")
            case .lost(let span, let reason):
                lines.append("\(span.lowerBound)-\(span.upperBound) \(reason)")
            }
            held.removeNext()
        }
        return lines
    }

    @Test mutating func `come in their order`() {
        for offset in Offset(1)...3 { held.append(event(offset)) }
        #expect(held.eventCount == 3)
        #expect(taken() == ["1", "2", "3"])
        #expect(held.isEmpty)
        #expect(held.byteCount == 0)
    }

    @Test mutating func `are replaced by the newest of their key, which goes behind all others`() {
        conflate(["a", "b", "a", nil, "b", nil])
        #expect(held.eventCount == 3)
        #expect(taken() == ["1-2 conflated", "3", "4-4 conflated", "5", "6"])
    }

    @Test mutating func `are not replaced any more once they went out`() {
        conflate(["a", "b"])
        #expect(taken(1) == ["1"])
        conflate(["a", "b"], from: 3)
        #expect(taken() == ["2-2 conflated", "3", "4"])
    }

    @Test mutating func `of a round come out before it is the turn of newer ones`() {
        conflate(["a", "b"])
        held.beginRound()
        conflate(["a", "b", "b"], from: 3)
        #expect(taken(2) == ["1", "2"])
        held.beginRound()
        conflate(["a"], from: 6)
        #expect(taken() == ["3", "4-4 conflated", "5", "6"])
    }

    @Test mutating func `take bounded room for a key that changes for ever`() {
        conflate(["b"])
        for offset in Offset(2)...10_001 { held.conflate(event(offset, "a")) }
        #expect(held.eventCount == 2)
        #expect(held.byteCount < 300)
        #expect(taken() == ["1", "2-10000 conflated", "10001"])
    }

    @Test mutating func `are dropped oldest first, half of them or all`() {
        for offset in Offset(1)...4 { held.append(event(offset)) }
        held.dropOldest()
        #expect(held.byteCount == 200)
        held.append(event(5))
        held.dropOldest()
        #expect(held.eventCount == 1)
        held.dropOldest()
        #expect(taken() == ["1-4 overflow", "5"])
        conflate(["a", "b", "a"], from: 6)
        held.dropOldest(all: true)
        #expect(held.byteCount == 0)
        conflate(["b"], from: 9)
        #expect(taken() == ["6-8 overflow", "9"])
    }

    @Test mutating func `are told what was lost between them by reason`() {
        conflate(["a", "a"])
        held.appendLost(3...4, .ephemeral)
        held.appendLost(5...5, .ephemeral)
        conflate(["a"], from: 6)
        #expect(taken() == ["1-2 conflated", "3-5 ephemeral", "6"])
    }
}
