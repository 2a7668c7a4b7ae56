internal import RepeatableChance
internal import Synchronization

/// What all publishers of a run share: when to stop, where to, and how fast.
final class PublisherPlan: Sendable {
    let doors: [Door]
    let topics: [String]
    let diary: Diary
    /// Between two publishes of one publisher, on average.
    let pause: Duration
    private let isOver = Mutex(false)

    init(doors: [Door], topics: [String], diary: Diary, pause: Duration) {
        self.doors = doors
        self.topics = topics
        self.diary = diary
        self.pause = pause
    }

    /// Publishers finish what they began, and stop.
    func stop() { isOver.withLock { $0 = true } }

    var isStopped: Bool { isOver.withLock { $0 } }

    /// Answers that a well-formed publish may get while something is broken (doc:HTTP).
    static let excuses: Set<String> = [
        "database_unavailable", "publisher_overloaded", "rate_limited", "draining", "broker_full",
        "outcome_unknown",
    ]

    func sleep(_ chance: inout SeededGenerator) async {
        try? await Task.sleep(for: pause * Double(chance.pick(0...200)) / 100)
    }
}
