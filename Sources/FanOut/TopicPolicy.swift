internal import EventModel

/// What a subscription does with a topic's live events that cannot go out at once
/// (doc:Subscriptions, "Policies").
struct TopicPolicy {
    /// It holds them, and does not read them from the log later.
    let isHolding: Bool
    /// Of those that it holds, a newer one of the same key replaces an older.
    let isConflating: Bool
    /// Over the budget, the session ends.
    let isDisconnecting: Bool

    /// `maxRate`: events a second that the subscription takes of the topic; `nil`: any number.
    init(_ overflow: OverflowPolicy, maxRate: Int?, isEphemeral: Bool) {
        isConflating = overflow == .conflate || maxRate != nil
        isHolding = isConflating || overflow == .dropOldest || isEphemeral
        isDisconnecting = overflow == .disconnect
    }
}

extension Subscriber {
    func policy(of subscription: Subscription, in feed: TopicFeed) -> TopicPolicy {
        TopicPolicy(
            subscription.overflow ?? shard.overflow(of: feed) ?? .replay,
            maxRate: subscription.maxRate, isEphemeral: feed.isEphemeral)
    }
}
