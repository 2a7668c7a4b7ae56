internal import DequeModule
internal import EventModel

/// The topics of a subscription that are gone: those that the client was told of, and those of
/// which it still has to be.
///
/// A topic that comes and goes again and again while nothing can be told takes one place.
struct EndedTopics {
    private var told: Set<TopicName> = []
    /// What waits to be told; `false` if the topic has come back before that.
    private var waiting: [TopicName: Bool] = [:]
    /// The keys of `waiting`, in the order in which they came.
    private var order = Deque<TopicName>()

    /// The topic has ended; nothing is to be told if it is gone already as far as the client knows.
    mutating func ended(_ topic: TopicName) {
        guard !told.contains(topic) else { return }
        if waiting.updateValue(true, forKey: topic) == nil { order.append(topic) }
    }

    /// A topic has come into being.
    ///
    /// - Returns: `true` if one of the name has ended before, so that it is to be told `recreated`;
    ///   the end itself needs not be told any more.
    mutating func began(_ topic: TopicName) -> Bool {
        guard waiting[topic] == true else { return told.contains(topic) }
        waiting[topic] = false
        return true
    }

    /// The client was told that the topic was created anew.
    mutating func beginTold(_ topic: TopicName) { told.remove(topic) }

    /// The next topic whose end is to be told.
    mutating func next() -> TopicName? {
        while let topic = order.first {
            if waiting[topic] == true { return topic }
            waiting[order.removeFirst()] = nil
        }
        return nil
    }

    /// The end of the next one was told.
    mutating func nextTold() {
        let topic = order.removeFirst()
        waiting[topic] = nil
        told.insert(topic)
    }
}
