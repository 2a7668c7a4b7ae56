package import EventModel
package import FanOut
package import Filtering
internal import SessionProtocol
package import Transport

/// The delivering half of a connection: what waits for its socket, moved there at the socket's
/// pace.
///
/// What comes from the client, and what it means, is the connection's own; it asks the outlet for
/// subscriptions and hands it replies. Confined to its loop.
package final class Outlet {
    package let loop: LoopDelivery
    /// Whose half it is.
    private weak var connection: (any DeliveryConnection)?
    /// `nil` until there is one; what comes waits meanwhile.
    private var stream: StreamConnection?
    private let joining: Joining?
    /// `nil` once the connection is over.
    private var subscriber: Subscriber?
    /// The client's input is not read while too many answers wait.
    private var isHeldBack = false
    /// Bytes handed to the socket.
    package private(set) var sentBytes: UInt64 = 0
    /// Something other than a ping went out since this was asked last.
    private var hasSent = false
    /// What waits is still flushed, until then, and the connection ends behind it.
    private var end: ContinuousClock.Instant?
    /// Bytes of answers that may wait while the client's input is read.
    private static let answerBytesMax = 64 << 10
    /// A ping's frame with eight bytes of payload: no message, and browsers do not see it.
    private static let pingBytes = 10
    /// Bytes that may be moved in one flush; the rest waits for the next turn, so that one
    /// subscriber does not hold up a loop.
    private static let flushBytesMax = Subscriber.refillBytesMax

    /// Begins delivery in one encoding, to a connection that is to come.
    package init(loop: LoopDelivery, encoding: Encoding) {
        self.loop = loop
        joining = encoding.joining
        subscriber = Subscriber(
            output: self, shard: loop.shard, limits: loop.limits, encoding: encoding)
    }

    /// The connection has come: what waits moves to its socket from the end of this turn on.
    package func open(_ stream: StreamConnection, for connection: any DeliveryConnection) {
        self.stream = stream
        self.connection = connection
        if let subscriber, !subscriber.backlog.isEmpty || subscriber.isReplaying {
            loop.shard.markDirty(subscriber)
        }
    }

    /// From now on, messages that move the client on get bytes of its own when they go out.
    package func mark(_ mark: @escaping Backlog.Mark) { subscriber?.mark(mark) }

    // MARK: Subscriptions

    /// A new subscription of this connection, not yet known to the shard; of what the question was
    /// left of the sender's wish, so that no topic comes into it later that it may not have.
    package func makeSubscription(
        id: Int64?, of question: StartOperation.Question, options: SubscriptionOptions,
        filter: EventFilter?
    ) -> Subscription? {
        subscriber.map {
            Subscription(
                id: id, patterns: question.patterns, subscriber: $0, options: options,
                filter: filter)
        }
    }

    package func subscription(id: Int64) -> Subscription? {
        subscriber?.subscriptions.first { $0.id == id }
    }

    /// Whether it is still a subscription of this connection.
    package func has(_ subscription: Subscription) -> Bool {
        subscriber?.subscriptions.contains { $0 === subscription } ?? false
    }

    /// The client takes this many more events of the subscription with this id, `nil` on a
    /// stream; one that is gone needs none.
    package func grant(_ events: Int64, to id: Int64?) {
        guard let subscription = subscriber?.subscriptions.first(where: { $0.id == id }) else {
            return
        }
        subscriber?.grant(events, to: subscription)
    }

    /// Changes the subscription with this id, which keeps its position; one that is gone stays so.
    ///
    /// `nil`: as it is; `.some(nil)`: none any more.
    package func update(_ id: Int64, maxRate: Int??, filter: EventFilter??) {
        guard let subscription = subscription(id: id) else { return }
        if let filter { subscription.filter = filter }
        if let maxRate { subscriber?.changeRate(of: subscription, to: maxRate) }
    }

    /// Ends all subscriptions; what waits of them is dropped, answers still go out.
    package func endSubscriptions() {
        if let subscriber { loop.shard.removeSubscriptions(of: subscriber) }
    }

    // MARK: Output

    /// Bytes that wait for the socket.
    package var backlogBytes: Int { subscriber?.backlog.byteCount ?? 0 }

    /// Sends a whole message, in the connection's frames or lines, behind what waits already.
    package func send(_ bytes: [UInt8]) {
        guard let subscriber else { return }
        subscriber.sendControl(bytes)
        // The client asks and does not read the answers: what it costs is bounded, too.
        if !isHeldBack, stream?.isOpen == true,
            subscriber.backlog.controlByteCount > Self.answerBytesMax
        {
            holdBack(true)
        }
    }

    private func holdBack(_ isHeldBack: Bool) {
        self.isHeldBack = isHeldBack
        stream?.setReading(!isHeldBack)
    }

    /// Whether a message went out since this was asked last.
    package func takeHasSent() -> Bool {
        defer { hasSent = false }
        return hasSent
    }

    /// Ends the connection behind what waits.
    package func finish() {
        if backlogBytes == 0 {
            stream?.close()
        } else {
            end = .now + loop.limits.sessionCloseTimeout
        }
    }

    /// Gives up on a client that does not take what waits behind the end.
    package func tick(now: ContinuousClock.Instant) {
        if let end, now >= end { stream?.abort() }
    }

    /// The socket takes bytes again.
    package func writable() {
        // Many who catch up may be writable at once: they have their turns with the others.
        if let subscriber, subscriber.isCatchingUp {
            loop.shard.markDirty(subscriber)
        } else {
            flush()
        }
    }

    /// The connection is over; nothing is delivered any more.
    package func closed() {
        if let subscriber { loop.shard.remove(subscriber) }
        subscriber = nil
    }
}

@available(*, unavailable) extension Outlet: Sendable {}

extension Outlet: SubscriberOutput {
    /// Moves the backlog into TLS records, one write each, until the socket takes no more.
    package func flush() {
        guard let subscriber, let stream, stream.isOpen else { return }
        // What waits does not matter any more: the client comes back with its cursors.
        if subscriber.takeOverflow() { connection?.end(.overflow) }
        defer { flushed(subscriber) }
        var moved = 0
        while !stream.isBlocked, moved < Self.flushBytesMax {
            let count = subscriber.backlog.fill(loop.record, joining: joining)
            if count > 0 {
                stream.send(UnsafeRawBufferPointer(rebasing: loop.record[..<count]))
                if count > Self.pingBytes { hasSent = true }
                sentBytes += UInt64(count)
                moved += count
            }
            // Its encoding can't say what is missing.
            if subscriber.backlog.takeEnd() {
                connection?.end(.gap)
                return
            }
            if count == 0 { subscriber.refill() }
            if subscriber.backlog.isEmpty, count == 0 || !subscriber.isReplaying { return }
        }
        if moved >= Self.flushBytesMax { loop.flushLater(subscriber) }
    }

    private func flushed(_ subscriber: Subscriber) {
        if isHeldBack, subscriber.backlog.controlByteCount <= Self.answerBytesMax {
            holdBack(false)
        }
        if end != nil, subscriber.backlog.isEmpty { stream?.close() }
    }
}
