package import EventModel

/// How far a subscription that starts in the past has come through the topics that its patterns
/// match (doc:Subscriptions, "Patterns").
///
/// It goes through them by name, some at a time. A topic that it has not reached is *pending*: its
/// live events are left to the walk, which finds them in the log.
struct TopicWalk {
    let source: any TopicWalkSource
    /// The how manieth walk of its loop it is; by this, feeds know where they stood when it began.
    let number: Int
    /// The last topic that was reached, with all before it.
    private(set) var reached: TopicName?
    /// Topics that began by themselves, whatever the walk has reached.
    private var begun: Set<TopicName>
    /// Its next topics are being looked up.
    var isAsking = false

    init(_ source: any TopicWalkSource, number: Int, begun: Set<TopicName>) {
        self.source = source
        self.number = number
        self.begun = begun
    }

    func isPending(_ topic: TopicName) -> Bool { isAhead(topic) && !begun.contains(topic) }

    /// Whether the topic began by itself.
    func hasBegun(_ topic: TopicName) -> Bool { begun.contains(topic) }

    private func isAhead(_ topic: TopicName) -> Bool {
        reached.map { $0.text < topic.text } ?? true
    }

    mutating func began(_ topic: TopicName) { if isAhead(topic) { begun.insert(topic) } }

    mutating func ended(_ topic: TopicName) { begun.remove(topic) }

    mutating func reach(_ topic: TopicName) {
        reached = topic
        begun = begun.filter { topic.text < $0.text }
    }
}

/// Who looks up the topics of a walk.
package protocol TopicWalkSource: AnyObject {
    /// Answers, later, with `FanOutShard.walked` for some topics behind `reached`, or with
    /// `walkStalled`.
    func proceed(_ subscription: Subscription, behind reached: TopicName?)
}
