/// A set of scalars, lone surrogates among them: ranges in order, apart from one another.
struct CharacterSet: Hashable, Sendable {
    private(set) var ranges: [ClosedRange<UInt32>] = []

    static let last: UInt32 = 0x10FFFF
    static let newline = CharacterSet([0x0A...0x0A])
    static let all = CharacterSet([0...last])
    /// As PostgreSQL with locale C: ASCII alone.
    static let digits = CharacterSet([0x30...0x39])
    static let wordCharacters = CharacterSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let space = CharacterSet([0x09...0x0D, 0x20...0x20])

    init(_ ranges: [ClosedRange<UInt32>]) {
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let before = self.ranges.last, range.lowerBound <= before.upperBound + 1 {
                self.ranges[self.ranges.count - 1] =
                    before.lowerBound...max(before.upperBound, range.upperBound)
            } else {
                self.ranges.append(range)
            }
        }
    }

    func union(_ other: CharacterSet) -> CharacterSet { CharacterSet(ranges + other.ranges) }

    /// All scalars that are not in the set.
    var complement: CharacterSet {
        var rest: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges {
            if range.lowerBound > next { rest.append(next...range.lowerBound - 1) }
            next = range.upperBound + 1
        }
        if next <= Self.last { rest.append(next...Self.last) }
        return CharacterSet(rest)
    }

    func subtracting(_ other: CharacterSet) -> CharacterSet {
        complement.union(other).complement
    }

    /// With the other case of each ASCII letter.
    var ignoringCase: CharacterSet {
        var more = ranges
        for (letters, distance) in [(UInt32(0x41)...0x5A, Int32(32)), (0x61...0x7A, -32)] {
            for range in ranges where range.overlaps(letters) {
                let part = range.clamped(to: letters)
                more.append(
                    UInt32(
                        Int32(part.lowerBound) + distance)...UInt32(
                            Int32(part.upperBound) + distance))
            }
        }
        return CharacterSet(more)
    }
}
