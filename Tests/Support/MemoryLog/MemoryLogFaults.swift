package import EventModel
import Synchronization

/// What happens to a log: retention, purges, deletion, a database that is away, another
/// incarnation.
extension MemoryLog {
    /// Creates a topic, and is switched off before anybody can follow it.
    package func createAndSwitchOff(_ topic: TopicName) {
        state.withLock { state in
            add(topic, TopicSettings(), &state)
            state.isAvailable = false
        }
    }

    /// While it is not available, appends and reads are answered `database_unavailable`.
    package func setAvailable(_ isAvailable: Bool) {
        state.withLock { $0.isAvailable = isAvailable }
    }

    /// Retention takes everything below the offset.
    package func forget(_ topic: TopicName, below offset: Offset) {
        state.withLock { $0.topics[topic]?.drop(below: offset) }
    }

    /// A purge: takes everything below the offset, and is told.
    package func purge(_ topic: TopicName, below offset: Offset) {
        state.withLock { purge(topic, below: offset, &$0) }
    }

    func purge(_ topic: TopicName, below offset: Offset, _ state: inout State) {
        guard var found = state.topics[topic] else { return }
        let position = state.told(topic)
        found.drop(below: offset)
        found.purgedBelow = found.earliest
        state.topics[topic] = found
        let earliest = found.earliest
        tell(&state) { $0.purged(topic, earliest: earliest, at: position) }
    }

    /// Followers of an ephemeral topic missed everything up to its head.
    package func skip(_ topic: TopicName) {
        state.withLock { state in
            guard var found = state.topics[topic] else { return }
            let position = state.told(topic)
            found.latest += 1
            found.earliest = found.latest + 1
            state.topics[topic] = found
            let earliest = found.earliest
            tell(&state) { $0.purged(topic, earliest: earliest, at: position) }
        }
    }

    package func delete(_ topic: TopicName) {
        state.withLock { remove(topic, &$0) }
    }

    func remove(_ topic: TopicName, _ state: inout State) {
        let position = state.told(topic)
        guard state.topics.removeValue(forKey: topic) != nil else { return }
        state.followed.remove(topic)
        tell(&state) { $0.deleted(topic, at: position) }
    }

    /// The log begins another incarnation, and what stood above a fork is lost.
    ///
    /// `fork`: Of topics that lost something; the others keep all, but for ephemeral ones, which
    /// begin anew.
    package func restart(fork: [TopicName: Offset] = [:]) {
        state.withLock { state in
            let number = state.incarnations.count
            let before = state
            state.incarnations.append("memory\(1000 + number)")
            for (name, var topic) in state.topics {
                if let offset = fork[name] { topic.truncate(to: offset) }
                if !topic.settings.isDurable { topic.truncate(to: 0) }
                topic.forks[number] = topic.latest
                state.topics[name] = topic
                guard let old = before.told(name) else { continue }
                let position = topic.position(of: name, in: state.incarnation)
                tell(&state) { $0.restarted(position, fork: position.latest, from: old) }
            }
        }
    }
}
