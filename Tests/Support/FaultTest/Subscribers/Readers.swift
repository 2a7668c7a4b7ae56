internal import EventModel
internal import SessionProtocol
internal import Synchronization

/// What subscribers of a run share: each one's check, and when to stop or to hurry.
final class Readers: Sendable {
    private struct State {
        var checks: [String: SubscriberCheck] = [:]
        var isOver = false
        var isHurried = false
    }

    let diary: Diary
    private let state = Mutex(State())

    init(diary: Diary) { self.diary = diary }

    func add(_ check: SubscriberCheck) { state.withLock { $0.checks[check.name] = check } }

    /// The broker's next message to a subscriber.
    func received(_ message: BrokerMessage, by name: String) {
        state.withLock { state in
            guard var check = state.checks.removeValue(forKey: name) else { return }
            diary.change { check.received(message, &$0) }
            state.checks[name] = check
        }
    }

    /// Where a subscriber stands in a topic.
    func place(of name: String, in topic: TopicName) -> Place? {
        state.withLock { $0.checks[name]?.places[topic] }
    }

    /// What subscribers have not seen.
    func unseen(of heads: [String: Place]) -> [String] {
        let checks = state.withLock { $0.checks }
        return checks.sorted { $0.key < $1.key }.flatMap { $0.value.unseen(of: heads) }
    }

    /// From now on the slow ones are as fast as the others.
    func hurry() { state.withLock { $0.isHurried = true } }

    func stop() { state.withLock { $0.isOver = true } }

    var isHurried: Bool { state.withLock { $0.isHurried } }
    var isStopped: Bool { state.withLock { $0.isOver } }
}
