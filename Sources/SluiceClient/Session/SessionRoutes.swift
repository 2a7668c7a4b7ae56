internal import EventModel

/// Whose a topic is among the subscriptions of a session; they do not overlap.
///
/// Pure.
struct SessionRoutes {
    private var tree = PatternTree<Int64>()
    /// Of topics that were asked for: each event asks.
    private var known: [TopicName: Int64] = [:]

    mutating func add(_ id: Int64, _ patterns: [TopicPattern]) {
        known = [:]
        for pattern in patterns { tree.insert(id, for: pattern) }
    }

    mutating func remove(_ id: Int64, _ patterns: [TopicPattern]) {
        known = [:]
        for pattern in patterns { tree.remove(pattern) { $0 == id } }
    }

    /// The subscription that a topic belongs to; `nil`: one that has left.
    mutating func subscription(to topic: TopicName) -> Int64? {
        if let id = known[topic] { return id }
        var found: Int64?
        tree.forEach(matching: topic) { id in
            found = id
            return false
        }
        known[topic] = found
        return found
    }
}
