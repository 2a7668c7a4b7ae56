package import EventModel

/// What the broker says in a session and on a stream (doc:Session); on a stream without `id`.
package enum BrokerMessage: Hashable, Sendable {
    case welcome(Welcome)
    case authenticated(expires: Timestamp?, id: Int64? = nil)
    case subscribed(Subscribed)
    case event(EventMessage)
    /// No topic of the subscription is replaying any more.
    case live(id: Int64?)
    /// The subscription's first topic left live; `behind` counts events over its topics.
    case lagging(id: Int64?, behind: Int64)
    case gap(Gap)
    case reset(Reset)
    /// Progress through events that a filter left out.
    case cursor([TopicName: Cursor])
    case published(Published)
    /// The notice is there when the broker ended the subscription.
    case unsubscribed(id: Int64, notice: Notice? = nil)
    /// A subscription was changed, and keeps its position.
    case updated(id: Int64)
    case error(ErrorMessage)
    case pong(id: Int64?, time: Timestamp)
    case heartbeat(time: Timestamp)
    case closing(Closing)

    /// The first message of a session that is authenticated.
    package struct Welcome: Hashable, Sendable {
        package var session: String
        package var node: String
        package var version: String
        package var time: Timestamp
        package var heartbeat: Duration
        package var expires: Timestamp?
        package var messageBytes: Int
        package var eventBytes: Int
        package var subscriptions: Int
        package var topicsPerSubscribe: Int
        package var filterBytes: Int

        /// A welcome that tells those limits that a client can run into.
        package init(
            session: String, node: String, version: String, time: Timestamp, expires: Timestamp?,
            limits: Limits
        ) {
            self.session = session
            self.node = node
            self.version = version
            self.time = time
            self.expires = expires
            heartbeat = limits.heartbeatInterval
            messageBytes = limits.messageBytesMax
            eventBytes = limits.eventBytesMax
            subscriptions = limits.subscriptionsMax
            topicsPerSubscribe = limits.topicsPerSubscribeMax
            filterBytes = limits.filterBytesMax
        }
    }

    /// A subscription stands; nothing of it comes before this message.
    package struct Subscribed: Hashable, Sendable {
        package var id: Int64
        /// Exact names only, never a pattern's members.
        package var topics: [Topic]
        /// Where topics resume that were never seen; absent where the broker does not say.
        package var resumeFrom: String?
        /// The patterns that the token allows, when they are fewer than asked for.
        package var granted: [TopicPattern]?

        package init(
            id: Int64, topics: [Topic], resumeFrom: String? = nil, granted: [TopicPattern]? = nil
        ) {
            self.id = id
            self.topics = topics
            self.resumeFrom = resumeFrom
            self.granted = granted
        }

        package struct Topic: Hashable, Sendable {
            package var topic: TopicName
            /// Where the client stands; `nil` if the topic is not created yet.
            package var cursor: Cursor?
            package var earliest: Offset
            package var latest: Offset

            package init(topic: TopicName, cursor: Cursor?, earliest: Offset, latest: Offset) {
                self.topic = topic
                self.cursor = cursor
                self.earliest = earliest
                self.latest = latest
            }
        }
    }

    /// Offsets that are not delivered; `cursor` stands behind them.
    package struct Gap: Hashable, Sendable {
        package var topic: TopicName
        package var from: Offset
        package var to: Offset
        package var cursor: Cursor
        /// A `GapReason`, or one that is newer than this program.
        package var reason: String

        package init(topic: TopicName, epoch: Epoch, from: Offset, to: Offset, reason: GapReason) {
            self.init(
                topic: topic, from: from, to: to, cursor: Cursor(epoch: epoch, offset: to),
                reason: reason.rawValue)
        }

        init(topic: TopicName, from: Offset, to: Offset, cursor: Cursor, reason: String) {
            self.topic = topic
            self.from = from
            self.to = to
            self.cursor = cursor
            self.reason = reason
        }
    }

    /// The position is not valid any more; delivery goes on behind `cursor`, or the topic is gone.
    package struct Reset: Hashable, Sendable {
        package var topic: TopicName
        package var cursor: Cursor?
        /// A `ResetReason`, or one that is newer than this program.
        package var reason: String

        package init(topic: TopicName, cursor: Cursor?, reason: ResetReason) {
            self.init(topic: topic, cursor: cursor, reason: reason.rawValue)
        }

        init(topic: TopicName, cursor: Cursor?, reason: String) {
            self.topic = topic
            self.cursor = cursor
            self.reason = reason
        }
    }

    /// An event was appended.
    package struct Published: Hashable, Sendable {
        package var id: Int64
        package var topic: TopicName
        package var cursor: Cursor
        package var time: Timestamp
        package var isRepeat: Bool

        package init(id: Int64, topic: TopicName, cursor: Cursor, time: Timestamp, isRepeat: Bool) {
            self.id = id
            self.topic = topic
            self.cursor = cursor
            self.time = time
            self.isRepeat = isRepeat
        }

        package init(id: Int64, receipt: AppendReceipt) {
            self.init(
                id: id, topic: receipt.topic, cursor: receipt.cursor, time: receipt.time,
                isRepeat: receipt.isRepeat)
        }
    }

    /// Why the broker ended a subscription.
    package struct Notice: Hashable, Sendable {
        package var code: String
        package var message: String
        package var remedy: String

        package init(code: String, message: String, remedy: String) {
            self.code = code
            self.message = message
            self.remedy = remedy
        }

        package init(_ error: BrokerError) {
            self.init(code: error.code.rawValue, message: error.message, remedy: error.remedy)
        }
    }

    /// The broker is about to close.
    package struct Closing: Hashable, Sendable {
        package var code: UInt16
        package var reason: String
        /// When to come back; `nil` if coming back as before can't help.
        package var reconnectAfter: Duration?

        package init(_ code: CloseCode, reconnectAfter: Duration?) {
            self.init(code: code.rawValue, reason: code.name, reconnectAfter: reconnectAfter)
        }

        init(code: UInt16, reason: String, reconnectAfter: Duration?) {
            self.code = code
            self.reason = reason
            self.reconnectAfter = reconnectAfter
        }
    }
}
