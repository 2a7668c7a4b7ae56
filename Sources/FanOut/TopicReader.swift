package import EventModel

/// One subscription's place in one topic where it is not simply live (doc:Subscriptions).
///
/// It is made when the subscription falls behind, or begins below the head, and gone when the
/// cursor has reached what the loop has fanned out. There is no third state: everything happens on
/// one event loop and offsets are dense.
package final class TopicReader {
    /// Where it gets what comes next.
    enum Standing {
        /// It is not one of its subscription's.
        case none
        /// The cursor is beyond what the loop has fanned out, whose events are trimmed until it is
        /// not.
        case ahead
        /// From memory or the log, up to the head.
        case replaying
        /// From what it holds, up to the head; it has no other source.
        case holding
    }

    /// Its session's `RefillQueue` has it while it replays or holds.
    enum Turn {
        case none
        /// It waits for its turn to be refilled.
        case queued
        /// A page is being read for it.
        case reading
        /// It waits until a page may be read for it.
        case waitingForRead
        /// Its subscription has no credit, or its rate no event left: it waits for no turn.
        case parked
    }

    let feed: TopicFeed
    let subscription: Subscription
    /// The last offset that was accepted for the socket, or passed in a gap.
    package internal(set) var cursor: Offset
    var standing = Standing.none
    var turn = Turn.none
    /// A topic that came into being causes neither `lagging` nor `live` (doc:Session), until it is
    /// live for the first time.
    var isNew: Bool
    /// To be told before anything else of the topic; what is consumed then is what `cursor` says.
    var owedReset: ResetReason?
    /// What it takes next from the log, while it is replaying.
    var page: ArrivedPage?
    /// Everything between the cursor and the head, while it is holding.
    var held = HeldEvents()
    /// When the next may come, if its subscription has a rate.
    var meter: RateMeter?
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
        self.isNew = isNew
    }

    /// It has turns to be refilled.
    var isBehind: Bool { standing == .replaying || standing == .holding }
    /// It gets what the loop fans out.
    var takesLive: Bool { standing == .ahead || standing == .holding }
    /// It makes its subscription lag.
    var isLagging: Bool { standing == .replaying && !isNew }
}
