internal import EventModel

/// Which loops want which topics, by number.
struct LoopInterest {
    /// By name: one for the loop's feed, and one for each question to follow it that is under way.
    var topics: [TopicName: [Int: Int]] = [:]
    /// How many groups of a loop's subscriptions have each pattern.
    private var patterns: [TopicPattern: [Int: Int]] = [:]
    private var index = PatternTree<Int>()
    /// What the index said lately, as the same topics have events again and again.
    private var found: [TopicName: [Int]] = [:]
    private static let foundMax = 10_000

    /// A loop may be among both.
    mutating func loops(of topic: TopicName) -> (named: [Int: Int], matching: [Int]) {
        (topics[topic] ?? [:], index.isEmpty ? [] : matching(topic))
    }

    private mutating func matching(_ topic: TopicName) -> [Int] {
        if let loops = found[topic] { return loops }
        var loops: [Int] = []
        index.forEach(matching: topic) { loop in
            if !loops.contains(loop) { loops.append(loop) }
            return true
        }
        if found.count >= Self.foundMax { found = [:] }
        found[topic] = loops
        return loops
    }

    mutating func add(_ pattern: TopicPattern, loop: Int) {
        let count = patterns[pattern]?[loop] ?? 0
        patterns[pattern, default: [:]][loop] = count + 1
        guard count == 0 else { return }
        index.insert(loop, for: pattern)
        found = [:]
    }

    /// - Returns: `true` if no loop has the pattern any more.
    mutating func remove(_ pattern: TopicPattern, loop: Int) -> Bool {
        guard let count = patterns[pattern]?[loop] else { return false }
        patterns[pattern]?[loop] = count > 1 ? count - 1 : nil
        guard count == 1 else { return false }
        index.remove(pattern) { $0 == loop }
        found = [:]
        guard patterns[pattern]?.isEmpty == true else { return false }
        patterns[pattern] = nil
        return true
    }
}
