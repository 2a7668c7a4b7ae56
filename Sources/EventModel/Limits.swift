/// The limits of doc:CommonRules, with their defaults: everything has one, with a unit and an
/// owner.
///
/// What is `static` is part of the protocol. The rest is set by keys of the configuration; what
/// concerns sockets and HTTP alone is the transport's.
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
    /// How long a ticket waits for its use.
    package static let ticketLife = Duration.seconds(30)
    /// Tickets of one token that wait for their use; more are answered `rate_limited`.
    package static let ticketsMax = 1000
    /// The largest integer on the wire, 2^53 - 1.
    package static let integerMax: Int64 = 9_007_199_254_740_991

    /// Bytes of one event's data; a running broker follows what the database says (`live`).
    package var eventBytesMax: Int {
        get { live.eventBytesMax }
        set { live = LiveSettings(eventBytesMax: newValue) }
    }
    /// Of these limits and their copies; set one by one, they part.
    package private(set) var live = LiveSettings(eventBytesMax: 1 << 20)
    /// Bytes of one message from a client.
    package var messageBytesMax = 2 << 20
    /// The same before it is known who the client is.
    package var messageBytesBeforeAuthMax = 16 << 10
    /// Bytes of one HTTP request body.
    package var bodyBytesMax = 16 << 20
    /// Lines of one NDJSON body.
    package var bodyLinesMax = 10_000
    /// Subscriptions of one session.
    package var subscriptionsMax = 1000
    /// Patterns with wildcards of one session: each is compared with each topic that comes into
    /// being.
    package var wildcardsMax = 1000
    /// Topics and cursors of one subscribe message.
    package var topicsPerSubscribeMax = 10_000
    /// Bytes of one filter, of a subscription or a page.
    package var filterBytesMax = 4096
    /// Cursors, and bytes of their texts, that one session sends ahead of its subscribes.
    package var cursorsAheadMax = 100_000
    package var cursorsAheadBytesMax = 16 << 20
    /// Publishes of one session whose outcome is open; further ones are answered `rate_limited`.
    package var publishesInFlightMax = 1000
    /// Errors that a client may cause in a minute before its session ends.
    package var faultsPerMinuteMax = 100
    /// Bytes of events that wait for one session's socket; one event always fits.
    package var backlogBytesMax = 1 << 20
    /// The same of all sessions and streams of a node together; each event loop has an equal share.
    package var backlogsBytesMax = 256 << 20
    /// Events of one page read from the log.
    package var pageEventsMax = 1000
    /// Bytes of one page read from the log for a replay; a quarter of the backlog.
    package var pageBytesMax = 256 << 10
    /// Bytes of one page of a topic's events over HTTP; one event always fits.
    package var answerPageBytesMax = 4 << 20
    /// Topics of one page of a list.
    package var pageTopicsMax = 1000
    /// Threads that read from the log, each with a connection of its own.
    package var readerCount = 3
    /// Reads that wait for one of them; over it they are refused.
    package var readsWaitingMax = 20_000
    /// Bytes of one followed topic's events that are held while those before them are read; over
    /// it they are read again.
    package var topicHeldBytesMax = 1 << 20
    /// Bytes of newest events that a node keeps in memory for replays, over all topics and event
    /// loops; each loop has an equal share.
    package var recentEventsBytesMax = 64 << 20
    /// Events and bytes that wait for the log; over it publishers get 429.
    package var appendQueueEventsMax = 100_000
    package var appendQueueBytesMax = 64 << 20
    /// How long one loop's connections are flushed before its sockets get their turn.
    package var flushTurn = Duration.milliseconds(1)
    /// How long an append waits for a topic's lock, and a read for a table's.
    package var lockTimeout = Duration.seconds(1)
    /// How long work waits for a lost database to come back before it is refused.
    package var reconnectTimeout = Duration.seconds(1)
    /// From one search for what retention has released to the next.
    package var retentionInterval = Duration.seconds(5)
    /// How long old events are deleted before the outbox has its turn.
    package var retentionTurn = Duration.milliseconds(20)
    /// How long it is believed what a look-up said of a token; at most 30 s, so that a revocation
    /// reaches everything within 60 s.
    package var tokenAge = Duration.seconds(30)
    /// The same of an id that no token has; a new token works after this at the latest.
    package var unknownTokenAge = Duration.seconds(5)
    /// Tokens that are remembered, and as many ids that no token has.
    package var tokensKnownMax = 10_000
    /// Look-ups of tokens under way; more are refused, as only an attack brings so many.
    package var tokenLookupsMax = 1000
    /// How long a silent session may take to authenticate.
    package var authTimeout = Duration.seconds(10)
    /// A heartbeat is sent when nothing else went out for this long.
    package var heartbeatInterval = Duration.seconds(20)
    /// How long a peer may take nothing of what waits for it; then it is dead (doc:Session).
    package var stuckTimeout = Duration.seconds(300)
    /// How long what waits for a session is still sent when the session ends.
    package var sessionCloseTimeout = Duration.seconds(5)
    /// How long clients get to leave when the broker shuts down.
    package var drainTime = Duration.seconds(5)
    /// The tokens of open sessions and streams are looked up again after this; at most 30 s, so
    /// that a revocation reaches all of them within 60 s.
    package var revocationInterval = Duration.seconds(20)
    /// An outcome still unknown after this is answered `outcome_unknown`.
    package var outcomeTimeout = Duration.seconds(10)

    package init() {}
}
