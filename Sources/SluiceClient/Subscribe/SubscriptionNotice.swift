/// What a subscriber is told besides events.
public enum SubscriptionNotice: Equatable, Sendable {
    /// The subscription stands, for the first time or again; what follows continues where it broke
    /// off.
    case subscribed(session: String, isResumed: Bool)
    /// Everything that was in the log is delivered; what comes is new.
    case live
    /// The subscriber is slower than its topics and is fed from the log until it is live again.
    case lagging(behind: Int64)
    /// These offsets will not come.
    case gap(topic: String, from: Int64, to: Int64, reason: String)
    /// The topic's offsets began anew, or it is gone.
    case reset(topic: String, reason: String)
    /// The subscription stands at these cursors, by topic, behind events that its filter left out.
    ///
    /// A program that keeps its positions itself keeps these like an event's; a subscription that
    /// is iterated on does so on its own. Topics without news are not named.
    case progress(cursors: [String: String])
    /// The connection was lost; after the wait it is tried again from the same position.
    case disconnected(reason: String, retryIn: Duration)
}

/// One step of a subscription.
public enum SubscriptionItem: Equatable, Sendable {
    /// An event.
    case event(ReceivedEvent)
    /// Something else, with the broker's message if it came from there.
    case notice(SubscriptionNotice, message: [UInt8]?)

    /// The event, if it is one.
    public var event: ReceivedEvent? {
        if case .event(let event) = self { event } else { nil }
    }
}
