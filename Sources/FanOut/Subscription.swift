package import EventModel
package import Filtering

/// One subscription of a session: its patterns, and a reader for each topic in which it is behind.
///
/// In all others that match it is live, which costs it nothing. So of each topic in which it has
/// begun, either it has a reader, whose cursor says what was consumed, or all that its loop has
/// fanned out is, up to `TopicFeed.head`; there the log follows the topic for the loop, by its name
/// or by a pattern, so that nothing is missing when the next comes.
package final class Subscription {
    /// As the client named it; `nil` on a single-topic stream.
    package let id: Int64?
    package let patterns: [TopicPattern]
    package let subscriber: Subscriber
    /// `nil`: each topic's own, else `replay`.
    let overflow: OverflowPolicy?
    /// Events a second of each topic; `nil`: any number.
    var maxRate: Int?
    /// What it gets of what comes next; `nil`: everything.
    package var filter: EventFilter?
    /// The events that its client takes.
    var credit: ClientCredit
    /// How far its filter has passed over events, which is told from time to time.
    var progress = FilterProgress()
    /// By the feed of each.
    private(set) var readers: [ObjectIdentifier: TopicReader] = [:] { didSet { change() } }
    /// On the way through the topics that it begins with; those are live that it has passed.
    var walk: TopicWalk? { didSet { change() } }
    /// What its client knows of it.
    var known = ClientKnowledge()
    /// Topics that it names and that did not exist any more when it began, though the loop still
    /// has their feeds: it has nothing to do with these.
    var absent: Set<TopicName> = [] { didSet { change() } }
    /// Topics that came into being before the subscription has joined.
    var newTopics: [TopicName] = []
    /// Its starts are fixed and `subscribed` is sent: events may follow.
    package internal(set) var hasJoined = false { didSet { change() } }
    /// Bytes in the session's backlog, without a message that has begun.
    var waitingBytes = 0
    /// Bytes that its readers hold.
    var heldBytes = 0
    /// Readers for which it lags.
    var laggingCount = 0
    /// Those of its loop with equal patterns, while it is registered, and its index among them.
    var place: (group: SubscriptionGroup, slot: Int)?
    /// It takes what its loop fans out, of every topic that matches.
    private(set) var isLiveEverywhere = false

    package init(
        id: Int64?, patterns: [TopicPattern], subscriber: Subscriber,
        options: SubscriptionOptions = SubscriptionOptions(), filter: EventFilter? = nil
    ) {
        self.id = id
        self.patterns = patterns
        self.subscriber = subscriber
        overflow = options.overflow
        maxRate = options.maxRate
        credit = ClientCredit(options.credit)
        self.filter = filter
    }

    private func change() {
        isLiveEverywhere = hasJoined && walk == nil && readers.isEmpty && absent.isEmpty
    }

    /// Its place in the topic, unless it is live there, or has not begun.
    func reader(of feed: TopicFeed) -> TopicReader? {
        readers.isEmpty ? nil : readers[ObjectIdentifier(feed)]
    }

    /// The last offset that was accepted for the socket, or passed in a gap; `nil` if it has not
    /// begun, or the client is still to be told where it stands.
    func cursor(in feed: TopicFeed) -> Offset? {
        guard let reader = reader(of: feed) else { return isLive(in: feed) ? feed.head : nil }
        return reader.owedReset == nil ? reader.cursor : nil
    }

    /// Whether it is past its start in the topic, and not behind.
    func isLive(in feed: TopicFeed) -> Bool {
        isLiveEverywhere || hasBegun(feed) && reader(of: feed) == nil
    }

    /// Whether the topic is one of those that it delivers.
    ///
    /// An ephemeral topic does not wait for the walk, which would find nothing of it.
    func hasBegun(_ feed: TopicFeed) -> Bool {
        guard hasJoined, !absent.contains(feed.topic) else { return false }
        guard let walk, !feed.isEphemeral else { return true }
        return !walk.isPending(feed.topic)
    }

    func add(_ reader: TopicReader) {
        readers[ObjectIdentifier(reader.feed)] = reader
        reader.feed.add(reader)
    }

    func remove(_ reader: TopicReader) {
        readers[ObjectIdentifier(reader.feed)] = nil
        reader.feed.remove(reader)
    }

    /// No topic replays, and none is pending.
    var isLive: Bool { laggingCount == 0 && walk == nil }

    /// Events between the replaying topics' cursors and their heads.
    var behind: Int64 {
        readers.values.reduce(0) {
            $1.standing == .replaying ? $0 + max(0, $1.feed.head - $1.cursor) : $0
        }
    }

    /// Bytes that wait, in the backlog and held.
    var queuedBytes: Int { waitingBytes + heldBytes }

    /// Readers that hold something, by name.
    var holders: [TopicReader] {
        readers.values.filter { !$0.held.isEmpty }.sorted {
            $0.feed.topic.text < $1.feed.topic.text
        }
    }

    /// Whether its filter lets the event through.
    func wants(_ event: SharedEvent) -> Bool { filter.map { event.fulfils($0) } ?? true }
}
