package import EventModel

/// What happens to a topic, as the loop is told of it.
package enum TopicNews: Sendable {
    /// Committed events, dense, the last of which is the position's `latest`.
    case appended([Event], to: TopicPosition)
    /// What is below is not to be read any more.
    case purged(below: Offset)
    /// It was created or deleted, or goes on in another incarnation: the log knows more.
    case changed
}

/// Wants to be told what happens to one topic; confined to the loop.
package protocol TopicWatcher: AnyObject {
    func happened(_ news: TopicNews)
}

/// Who waits for something to happen to a topic: a page over HTTP that has nothing to tell yet.
///
/// Confined to a loop. It is for those who ask once. Whoever watches has the loop follow the topic,
/// and keeps it followed by asking the shard for its feed once in each tick.
package struct TopicWatches {
    private var watchers: [TopicName: [ObjectIdentifier: any TopicWatcher]] = [:]

    package mutating func add(_ watcher: any TopicWatcher, of topic: TopicName) {
        watchers[topic, default: [:]][ObjectIdentifier(watcher)] = watcher
    }

    package mutating func remove(_ watcher: any TopicWatcher, of topic: TopicName) {
        watchers[topic]?[ObjectIdentifier(watcher)] = nil
        if watchers[topic]?.isEmpty == true { watchers[topic] = nil }
    }

    /// Who is to be told now; whoever is told may leave.
    func watchers(of topic: TopicName) -> [any TopicWatcher] {
        watchers.isEmpty ? [] : watchers[topic].map { Array($0.values) } ?? []
    }

    /// Who is watching, of all topics.
    package var count: Int { watchers.values.reduce(0) { $0 + $1.count } }
}
