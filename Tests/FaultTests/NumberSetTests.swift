import FaultTest
import RepeatableChance
import Testing

@Suite("A set of numbers") struct NumberSetTests {
    @Test func `holds what a plain set holds, whatever the order`() {
        var chance = SeededGenerator()
        for _ in 1...50 {
            var set = NumberSet()
            var plain: Set<Int64> = []
            for _ in 1...200 {
                let number = Int64(chance.pick(1...150))
                #expect(
                    set.insert(number) == plain.insert(number).inserted, "seed \(chance.seed)")
            }
            #expect(set.count == plain.count, "seed \(chance.seed)")
            #expect(Array(set.numbers) == plain.sorted(), "seed \(chance.seed)")
            for number in 0...151 as ClosedRange<Int64> {
                #expect(set.contains(number) == plain.contains(number), "seed \(chance.seed)")
            }
        }
    }

    @Test func `says what another one lacks`() {
        var set = NumberSet()
        var other = NumberSet()
        for number in 1...9 as ClosedRange<Int64> { set.insert(number) }
        for number in [1, 2, 5, 6, 7] as [Int64] { other.insert(number) }
        #expect(set.missing(from: other, atMost: 3) == [3, 4, 8])
        #expect(other.missing(from: set, atMost: 3) == [])
    }
}
