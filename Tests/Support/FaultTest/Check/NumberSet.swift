/// A set of numbers, small where they are dense: it keeps ranges, whose bounds it keeps sorted.
package struct NumberSet: Equatable, Sendable {
    private var ranges: [ClosedRange<Int64>] = []
    /// How many there are.
    package private(set) var count = 0

    package init() {}

    /// - Returns: Whether it is new.
    @discardableResult
    package mutating func insert(_ number: Int64) -> Bool {
        let next = place(of: number)
        if next > 0, ranges[next - 1].contains(number) { return false }
        count += 1
        let joinsLower = next > 0 && ranges[next - 1].upperBound == number - 1
        let joinsUpper = next < ranges.count && ranges[next].lowerBound == number + 1
        switch (joinsLower, joinsUpper) {
        case (true, true):
            ranges[next - 1] = ranges[next - 1].lowerBound...ranges[next].upperBound
            ranges.remove(at: next)
        case (true, false): ranges[next - 1] = ranges[next - 1].lowerBound...number
        case (false, true): ranges[next] = number...ranges[next].upperBound
        case (false, false): ranges.insert(number...number, at: next)
        }
        return true
    }

    package func contains(_ number: Int64) -> Bool {
        let next = place(of: number)
        return next > 0 && ranges[next - 1].contains(number)
    }

    /// All of them, rising.
    package var numbers: some Sequence<Int64> { ranges.joined() }

    /// The first numbers that another set lacks.
    package func missing(from other: NumberSet, atMost limit: Int) -> [Int64] {
        var missing: [Int64] = []
        for number in numbers where !other.contains(number) {
            missing.append(number)
            if missing.count == limit { break }
        }
        return missing
    }

    /// The index of the first range that begins above the number.
    private func place(of number: Int64) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].lowerBound <= number { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
