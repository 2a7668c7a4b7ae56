/// The limits of doc:CommonRules, with their defaults: everything has one, with a unit and an
/// owner.
package struct Limits: Sendable {
    /// Bytes of a topic name or pattern.
    package static let topicBytesMax = 200
    /// Bytes of `key`, `event_id` and `Idempotency-Key`.
    package static let keyBytesMax = 500
    /// Attributes of an event.
    package static let attributesMax = 16
    /// Bytes of all attributes of an event, as JSON text.
    package static let attributesBytesMax = 1024
    /// Levels of arrays and objects in a JSON text.
    package static let nestingMax = 512
    /// The longest retention, life of a token or time-out of a command that can be said, 36,500 d.
    package static let durationMax = Duration.seconds(36_500 * 86_400)
    /// The largest integer on the wire, 2^53 - 1.
    package static let integerMax: Int64 = 9_007_199_254_740_991

    /// Bytes of one event's data.
    package var eventBytesMax = 1 << 20
    /// Bytes of one message from a client.
    package var messageBytesMax = 2 << 20
    /// The same before it is known who the client is.
    package var messageBytesBeforeAuthMax = 16 << 10
    /// Bytes of one HTTP request body.
    package var bodyBytesMax = 16 << 20
    /// Bytes of all HTTP request bodies that a node holds; over it 429.
    package var bodiesBytesMax = 256 << 20
    /// Lines of one NDJSON body.
    package var bodyLinesMax = 10_000
    /// Bytes of one HTTP request's line and headers.
    package var headerBytesMax = 16 << 10
    /// Subscriptions of one session.
    package var subscriptionsMax = 1000
    /// Topics and cursors of one subscribe message.
    package var topicsPerSubscribeMax = 10_000
    /// Cursors, and bytes of their texts, that one session sends ahead of its subscribes.
    package var cursorsAheadMax = 100_000
    package var cursorsAheadBytesMax = 16 << 20
    /// Bytes of events that wait for one session's socket; one event always fits.
    package var backlogBytesMax = 1 << 20
    /// Events of one page read from the log.
    package var pageEventsMax = 1000
    /// Bytes of one page read from the log for a replay; a quarter of the backlog.
    package var pageBytesMax = 256 << 10
    /// Bytes of newest events that a node keeps in memory for replays, over all topics and event
    /// loops; each loop has an equal share.
    package var recentEventsBytesMax = 64 << 20
    /// Events and bytes that wait for the log; over it publishers get 429.
    package var appendQueueEventsMax = 100_000
    package var appendQueueBytesMax = 64 << 20
    /// How long one loop's connections are flushed before its sockets get their turn.
    package var flushTurn = Duration.milliseconds(2)
    /// How long a silent session may take to authenticate.
    package var authTimeout = Duration.seconds(10)
    /// A heartbeat is sent when nothing else went out for this long.
    package var heartbeatInterval = Duration.seconds(20)
    /// How long a peer may take nothing of what waits for it; then it is dead (doc:Session).
    package var stuckTimeout = Duration.seconds(300)
    /// The tokens of open sessions and streams are looked up again after this; at most 30 s, so
    /// that a revocation reaches all of them within 60 s.
    package var revocationInterval = Duration.seconds(20)
    /// An outcome still unknown after this is answered `outcome_unknown`.
    package var outcomeTimeout = Duration.seconds(10)

    package init() {}
}
