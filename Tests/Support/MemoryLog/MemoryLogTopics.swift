package import EventModel
import Synchronization

/// Topics managed, as users do it.
extension MemoryLog {
    package func create(
        _ topic: TopicName, settings: TopicSettings
    ) async throws(BrokerError) -> TopicDescription {
        try change { state throws(BrokerError) in
            guard state.topics[topic] == nil else {
                throw BrokerError(.topicExists, "There is a topic \(quoted(topic.text)) already.")
            }
            add(topic, settings, &state)
            return try state.described(topic)
        }
    }

    package func alter(
        _ topic: TopicName, _ changes: TopicChanges, ifRevision: Int?
    ) async throws(BrokerError) -> TopicDescription {
        try change { state throws(BrokerError) in
            let before = try state.described(topic)
            try before.requireRevision(ifRevision)
            let settings = try before.settings(after: changes)
            guard settings != before.settings else { return before }
            state.topics[topic]?.settings = settings
            state.topics[topic]?.revision += 1
            return try state.described(topic)
        }
    }

    package func delete(
        _ topic: TopicName, ifRevision: Int?
    ) async throws(BrokerError) -> TopicDescription {
        try change { state throws(BrokerError) in
            let topicBefore = try state.described(topic)
            try topicBefore.requireRevision(ifRevision)
            remove(topic, &state)
            return topicBefore
        }
    }

    package func purge(
        _ topic: TopicName, before: Offset, ifRevision: Int?
    ) async throws(BrokerError) -> TopicPurge {
        try change { state throws(BrokerError) in
            let topicBefore = try state.described(topic)
            try topicBefore.requireRevision(ifRevision)
            purge(topic, below: before, &state)
            let topicNow = try state.described(topic)
            return TopicPurge(
                topic: topicNow,
                events: topicNow.position.earliest - topicBefore.position.earliest)
        }
    }

    private func change<Value>(
        _ body: (inout State) throws(BrokerError) -> Value
    ) throws(BrokerError) -> Value {
        let result: Result<Value, BrokerError> = state.withLock { state in
            guard state.isAvailable else { return .failure(Self.unavailable) }
            do throws(BrokerError) { return .success(try body(&state)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}

extension MemoryLog.State {
    fileprivate func described(_ topic: TopicName) throws(BrokerError) -> TopicDescription {
        guard let description = describe(topic) else {
            throw BrokerError(.topicNotFound, "There is no topic \(quoted(topic.text)).")
        }
        return description
    }
}
