package import EventModel

/// What a subscription is told beside its events; its own bytes, as it names the subscription
/// (doc:Session).
package enum Notice: Hashable, Sendable {
    /// The first of the subscription's topics left live; it is `behind` events away from it.
    case lagging(subscription: Int64?, behind: Int64)
    /// No topic of the subscription is replaying.
    case live(subscription: Int64?)
    /// Offsets `from` to `to` will not come.
    case gap(topic: TopicName, epoch: Epoch, from: Offset, to: Offset, reason: GapReason)
    /// The position is not valid any more; delivery goes on behind `cursor`. `nil`: the topic is
    /// gone.
    case reset(topic: TopicName, cursor: Cursor?, reason: ResetReason)
    /// The subscription stands there, though nothing came of what is before: its filter left it out.
    case cursors([TopicName: Cursor])
}
