package import EventModel

/// A message in its final bytes, frame included, made once and shared by every subscriber that gets
/// it.
package final class EncodedMessage: Sendable {
    /// The event's offset; 0 if the message is not an event.
    package let offset: Offset
    /// A whole WebSocket frame: header and payload.
    package let frame: [UInt8]

    package init(offset: Offset = 0, frame: [UInt8]) {
        self.offset = offset
        self.frame = frame
    }
}

/// What a subscription is told beside its events; its own bytes, as it names the subscription
/// (PROTOCOL 2).
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
}

/// Encoded events behind an offset, as the log has them, for followers that replay.
package struct ReplayPage: Sendable {
    /// Both ends of the topic in the log.
    package let position: TopicPosition
    /// What is missing below this was purged; above it, retention took it.
    package let purgedBelow: Offset
    /// Dense; the first is `after + 1`, or `position.earliest` when that is higher.
    package let events: [EncodedMessage]

    package init(position: TopicPosition, purgedBelow: Offset, events: [EncodedMessage]) {
        self.position = position
        self.purgedBelow = purgedBelow
        self.events = events
    }
}
