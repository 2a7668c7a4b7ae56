package import EventModel

/// What a shard needs done.
package protocol FanOutActor: AnyObject {
    /// Calls `FanOutShard.flush` at the end of this loop turn.
    func scheduleFlush()
    /// Calls `FanOutShard.flush` when the loop's sockets had their turn.
    func scheduleFlushLater()
    /// Answers with `FanOutShard.followed`, in the FIFO of events.
    func follow(_ topics: [TopicName])
    /// Topics need not be followed by name any more.
    func unfollow(_ topics: [TopicName])
    /// Patterns with wildcards have subscriptions on this loop, which wants what they match.
    func patternsCame(_ patterns: [TopicPattern])
    /// Nobody is left of them.
    func patternsWent(_ patterns: [TopicPattern])
    /// Calls `FanOutShard.wake` at this time, or soon after.
    func scheduleWake(at time: ContinuousClock.Instant)
    /// The topic's own policy, as far as it is known here.
    func overflow(of topic: TopicName) -> OverflowPolicy?
    /// Answers with `FanOutShard.pageArrived`, in the encoding of who asked first; with at most as
    /// much as so many pages hold.
    func read(_ topic: TopicName, after: Offset, pages: Int, in encoding: Encoding)
}
