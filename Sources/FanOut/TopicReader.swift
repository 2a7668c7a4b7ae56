package import EventModel

/// One subscription's place in one topic where it is not simply live: it replays from its cursor, is
/// owed a reset or a gap, or is ahead of its loop (doc:Subscriptions).
///
/// It is made when the subscription falls back, or begins below the head, and gone when the cursor
/// has reached what the loop has fanned out. There is no third state: everything happens on one
/// event loop and offsets are dense.
package final class TopicReader {
    let feed: TopicFeed
    let subscription: Subscription
    /// The last offset that was accepted for the socket, or passed in a gap.
    package internal(set) var cursor: Offset
    /// The cursor is beyond what the loop has fanned out, whose events are trimmed until it is not;
    /// otherwise it is fed from memory or the log.
    package internal(set) var isAhead = false
    /// Its session's `ReplayQueue` has it, until it is live or leaves.
    var isReplaying = false
    /// A page is being read for it.
    var isReading = false
    /// It waits for its turn to be refilled.
    var isQueued = false
    /// A topic that came into being causes neither `lagging` nor `live` (doc:Session), until it is
    /// live for the first time; an ephemeral one never does.
    var isSilent: Bool
    /// Why an ephemeral topic's reader does not get what is between its cursor and the head.
    var gapReason = GapReason.ephemeral
    /// To be told before anything else of the topic; what is consumed then is what `cursor` says.
    var owedReset: ResetReason?
    /// Its index in the feed's readers.
    var slot = 0

    init(
        feed: TopicFeed, subscription: Subscription, cursor: Offset, reset: ResetReason? = nil,
        isNew: Bool = false
    ) {
        self.feed = feed
        self.subscription = subscription
        self.cursor = cursor
        owedReset = reset
        isSilent = isNew || feed.isEphemeral
    }
}
