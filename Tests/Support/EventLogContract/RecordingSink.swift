package import EventModel
import Synchronization

/// A sink that keeps what it is told, and lets tests wait for it.
package final class RecordingSink: LogSink {
    /// Everything that was told so far.
    package struct Heard: Sendable {
        /// By topic, in the order in which they came.
        package var events: [TopicName: [Event]] = [:]
        package var epochs: [TopicName: Epoch] = [:]
        package var created: [TopicName] = []
        package var deleted: [TopicName] = []
        package var purged: [TopicName: Offset] = [:]
        package var restarts: [Restart] = []
        package var positions: [TopicName: TopicPosition] = [:]
        /// Offsets whose events came behind a hole that nobody had told of.
        package var untoldHoles: [TopicName: [Offset]] = [:]
        /// How far each topic was told.
        fileprivate var ends: [TopicName: Offset] = [:]

        /// Whether the log says where it has come with a topic.
        fileprivate mutating func check(_ position: TopicPosition) {
            guard let end = ends[position.topic], end != position.latest else { return }
            untoldHoles[position.topic, default: []].append(position.latest)
        }

        package func offsets(of topic: TopicName) -> [Offset] {
            (events[topic] ?? []).map(\.offset)
        }
    }

    package struct Restart: Hashable, Sendable {
        package var position: TopicPosition
        package var fork: Offset
    }

    private struct Waiter {
        var condition: @Sendable (Heard) -> Bool
        var continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var heard = Heard()
        var waiters: [Int: Waiter] = [:]
        var lastWaiter = 0
    }

    private let state = Mutex(State())

    package init() {}

    package var heard: Heard { state.withLock { $0.heard } }

    /// Waits until what was heard fulfils the condition; `false` after the timeout.
    package func wait(
        timeout: Duration = .seconds(30), until condition: @escaping @Sendable (Heard) -> Bool
    ) async -> Bool {
        await withCheckedContinuation { continuation in
            let number: Int? = state.withLock { state in
                if condition(state.heard) { return nil }
                state.lastWaiter += 1
                state.waiters[state.lastWaiter] = Waiter(
                    condition: condition, continuation: continuation)
                return state.lastWaiter
            }
            guard let number else { return continuation.resume(returning: true) }
            Task {
                try? await Task.sleep(for: timeout)
                let late = state.withLock { $0.waiters.removeValue(forKey: number) }
                late?.continuation.resume(returning: false)
            }
        }
    }

    /// Waits for a number of events of a topic.
    package func wait(
        for count: Int, of topic: TopicName, timeout: Duration = .seconds(30)
    ) async -> Bool {
        await wait(timeout: timeout) { ($0.events[topic]?.count ?? 0) >= count }
    }

    /// Notes what `follow` answered, in the order of the other calls.
    package func positioned(_ positions: [TopicPosition]) {
        change { heard in
            for position in positions {
                heard.positions[position.topic] = position
                heard.ends[position.topic] = position.latest
            }
        }
    }

    // MARK: LogSink

    package func appended(_ events: [Event], to position: TopicPosition) {
        change {
            let topic = position.topic
            $0.events[topic, default: []] += events
            $0.epochs[topic] = position.epoch
            guard let first = events.first, let last = events.last else { return }
            $0.check(position)
            if first.offset != position.latest + 1 {
                $0.untoldHoles[topic, default: []].append(first.offset)
            }
            $0.ends[topic] = last.offset
        }
    }

    package func created(_ topics: [TopicName]) { change { $0.created += topics } }

    package func deleted(_ topic: TopicName, at position: TopicPosition?) {
        change {
            $0.deleted.append(topic)
            if let position { $0.check(position) }
            $0.ends[topic] = nil
        }
    }

    package func purged(_ topic: TopicName, earliest: Offset, at position: TopicPosition?) {
        change {
            if let position { $0.check(position) }
            $0.purged[topic] = earliest
            if let end = $0.ends[topic] { $0.ends[topic] = max(end, earliest - 1) }
        }
    }

    package func restarted(_ position: TopicPosition, fork: Offset, from old: TopicPosition) {
        change {
            $0.check(old)
            $0.restarts.append(Restart(position: position, fork: fork))
            $0.ends[position.topic] = fork
        }
    }

    private func change(_ body: (inout Heard) -> Void) {
        let ready = state.withLock { state -> [Waiter] in
            body(&state.heard)
            let ready = state.waiters.filter { $0.value.condition(state.heard) }
            for number in ready.keys { state.waiters[number] = nil }
            return Array(ready.values)
        }
        for waiter in ready { waiter.continuation.resume(returning: true) }
    }
}
