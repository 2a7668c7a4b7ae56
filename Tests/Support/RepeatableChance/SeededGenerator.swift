internal import FoundationEssentials

/// Chance that can be repeated: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
/// Generators, 2014).
///
/// Random tests print the seed; `SLUICE_SEED` gives it back.
package struct SeededGenerator: RandomNumberGenerator {
    package let seed: UInt64
    private var state: UInt64

    /// With the seed of `SLUICE_SEED`, or a random one.
    package init() {
        let given = ProcessInfo.processInfo.environment["SLUICE_SEED"].flatMap { UInt64($0) }
        self.init(seed: given ?? UInt64.random(in: 0 ... .max))
    }

    package init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Evenly from the range.
    package mutating func pick(_ range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &self)
    }

    /// `true` this often of a hundred times.
    package mutating func chance(_ percent: Int) -> Bool { pick(1...100) <= percent }

    /// One of a collection that is not empty.
    package mutating func pick<Element>(_ choices: [Element]) -> Element {
        choices[pick(0...choices.count - 1)]
    }

    /// Another source, so that the order in which parts draw does not matter.
    package mutating func fork() -> SeededGenerator { SeededGenerator(seed: next()) }
}
