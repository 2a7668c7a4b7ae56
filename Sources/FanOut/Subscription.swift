package import EventModel

/// One subscription of a session: patterns, and a reader for each topic that they match.
package final class Subscription {
    /// As the client named it; `nil` on a single-topic stream.
    package let id: Int64?
    package let patterns: [TopicPattern]
    package let subscriber: Subscriber
    private(set) var readers: [TopicName: TopicReader] = [:]
    /// Topics that are gone; one that comes back under the name begins with a reset.
    var ends = EndedTopics()
    /// Topics that came into being before the subscription has joined.
    var newTopics: [TopicName] = []
    /// Its starts are fixed and `subscribed` is sent: events may follow.
    package internal(set) var hasJoined = false
    /// Bytes in the session's backlog that could be dropped: without a message that has begun.
    var waitingBytes = 0
    /// Readers that replay and whose topics are not new.
    var replayingCount = 0
    /// `live` is to be told when no topic replays any more; otherwise `lagging`, when one does.
    var owesLive = true
    /// It waits for room to be told ends, `lagging` or `live`.
    var isOwing = false

    package init(id: Int64?, patterns: [TopicPattern], subscriber: Subscriber) {
        self.id = id
        self.patterns = patterns
        self.subscriber = subscriber
    }

    func reader(of topic: TopicName) -> TopicReader? { readers[topic] }

    func add(_ reader: TopicReader) {
        readers[reader.feed.topic] = reader
        reader.feed.add(reader)
    }

    func remove(_ reader: TopicReader) {
        readers[reader.feed.topic] = nil
        reader.feed.remove(reader)
    }

    /// Events between the replaying topics' cursors and their heads.
    var behind: Int64 {
        readers.values.reduce(0) {
            $1.isLive || $1.feed.isEphemeral ? $0 : $0 + max(0, $1.feed.head - $1.cursor)
        }
    }
}
