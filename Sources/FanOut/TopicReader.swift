package import EventModel

/// One subscription's stand in one topic: live, or replaying from its cursor (doc:Subscriptions).
///
/// It is live when its cursor has reached what its loop has fanned out. There is no third state:
/// everything happens on one event loop and offsets are dense.
package final class TopicReader {
    let feed: TopicFeed
    let subscription: Subscription
    /// The last offset that was accepted for the socket, or passed in a gap.
    package internal(set) var cursor: Offset
    /// Fed by the fan-out; otherwise from memory or the log.
    package internal(set) var isLive = false
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
    var owedReset: ResetReason? {
        didSet { if owedReset != nil { isUnknown = false } }
    }
    /// The client knows nothing of the topic but what it gets from here.
    private var isUnknown: Bool
    /// Its index in the feed's readers.
    var slot = 0

    init(
        feed: TopicFeed, subscription: Subscription, cursor: Offset, reset: ResetReason?,
        isNew: Bool
    ) {
        self.feed = feed
        self.subscription = subscription
        self.cursor = cursor
        owedReset = reset
        isSilent = isNew || feed.isEphemeral
        isUnknown = isNew && reset == nil
    }

    func becameLive() {
        isLive = true
        isSilent = feed.isEphemeral
        gapReason = .ephemeral
    }

    /// Nothing of the topic was ever told, so its end need not be told either.
    var isUnheard: Bool { isUnknown && cursor == 0 }
}
