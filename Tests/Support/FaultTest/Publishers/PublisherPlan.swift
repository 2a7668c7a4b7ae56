internal import RepeatableChance
internal import Synchronization

/// When publishers of a run stop, and how fast they are.
final class Pace: Sendable {
    private struct State {
        var isOver = false
        var pause: Duration
    }

    private let state: Mutex<State>

    init(pause: Duration) { state = Mutex(State(pause: pause)) }

    /// Publishers finish what they began, and stop.
    func stop() { state.withLock { $0.isOver = true } }

    var isStopped: Bool { state.withLock { $0.isOver } }

    /// Between two publishes of one publisher, on average.
    var pause: Duration {
        get { state.withLock { $0.pause } }
        set { state.withLock { $0.pause = newValue } }
    }
}

/// What publishers of a run share: where to, and how fast.
struct PublisherPlan: Sendable {
    let doors: [Door]
    var topics: [String]
    let diary: Diary
    let pace: Pace

    var isStopped: Bool { pace.isStopped }

    /// The same with other topics.
    func on(_ topics: [String]) -> PublisherPlan {
        var plan = self
        plan.topics = topics
        return plan
    }

    /// Answers that a well-formed request may get while something is broken (doc:HTTP).
    static let excuses: Set<String> = [
        "database_unavailable", "publisher_overloaded", "rate_limited", "draining", "broker_full",
        "outcome_unknown",
    ]

    func pause(_ chance: inout SeededGenerator) -> Duration {
        pace.pause * Double(chance.pick(0...200)) / 100
    }

    func sleep(_ chance: inout SeededGenerator) async {
        try? await Task.sleep(for: pause(&chance))
    }
}
