internal import EventModel
internal import SessionProtocol

/// Events of some topics as a sequence that outlives connections.
///
/// Iterating connects. When a connection is lost, the next one goes on exactly behind what was
/// taken from the iterator. Where the iterator is slow, the broker waits for it: it is granted
/// credit as events are taken.
public struct Subscription: AsyncSequence, Sendable {
    /// Events and notices.
    public typealias Element = SubscriptionItem

    let connector: BrokerConnector
    let patterns: [TopicPattern]
    let start: StartPosition
    let cursors: [TopicName: Cursor]
    let options: SubscriptionOptions
    let filter: String?
    let rate: RateControl
    let isBatched: Bool

    /// Changes how many events a second of each topic come at most, in all of its iterators, also
    /// while they wait; `nil`: no bound.
    ///
    /// - Throws: For a number below 1. A broker that refuses it ends the iterators.
    public func update(maxRate: Int?) throws(SluiceError) {
        try SubscribeOptions.check(maxRate, "maximal rate")
        rate.set(maxRate)
    }

    /// Begins at the start position, on a connection of its own.
    public func makeAsyncIterator() -> Iterator {
        Iterator(
            connector, rate,
            SubscriptionProgress(
                patterns: patterns, start: start, cursors: cursors, options: options,
                filter: filter),
            isBatched: isBatched)
    }

    /// Takes items; ends by being let go, or by throwing a `SluiceError`, which it then throws
    /// again.
    ///
    /// After a `CancellationError` another task may go on with it.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        private let connector: BrokerConnector
        private let rate: RateControl
        private let isBatched: Bool
        private var progress: SubscriptionProgress
        private var session: SessionConnection?
        /// When the session that is open, or was just lost, began.
        private var began: ContinuousClock.Instant?
        private var hasConnected = false
        private var backoff = ReconnectBackoff()
        private var random = SystemRandomNumberGenerator()
        private var wait: Duration?
        private var waiting: ArraySlice<SubscriptionItem> = []
        /// Why it is over, once what came before has been given out.
        private var failure: SluiceError?

        init(
            _ connector: BrokerConnector, _ rate: RateControl, _ progress: SubscriptionProgress,
            isBatched: Bool
        ) {
            self.connector = connector
            self.rate = rate
            self.progress = progress
            self.isBatched = isBatched
        }

        /// The next item.
        ///
        /// - Returns: Never `nil`: a subscription has no end of its own.
        /// - Throws: `SluiceError` when trying again can't help, or when the broker was never
        ///   reached; `CancellationError`.
        public mutating func next() async throws -> SubscriptionItem? {
            while waiting.isEmpty { waiting = try await nextItems()[...] }
            let item = waiting.popFirst()
            if case .event = item { took(1) }
            return item
        }

        /// All items that have arrived, at least one; for writing many at once.
        ///
        /// - Returns: Never `nil`: a subscription has no end of its own.
        /// - Throws: As `next`.
        public mutating func nextBatch() async throws -> [SubscriptionItem]? {
            var items: [SubscriptionItem] = Array(waiting)
            waiting = []
            while items.isEmpty { items = try await nextItems() }
            took(items.count { if case .event = $0 { true } else { false } })
            return items
        }

        /// Lets the broker send as many events more, once they are worth a message.
        private mutating func took(_ events: Int) {
            if let credit = progress.took(events) { session?.send(credit) }
        }

        private mutating func nextItems() async throws -> [SubscriptionItem] {
            if let failure { throw failure }
            if let wait {
                try await Task.sleep(for: wait)
                self.wait = nil
            }
            do throws(SluiceError) {
                let session = try await connectedSession()
                let items = try await items(of: session)
                if !items.isEmpty { return items }
            } catch {
                return [try failed(error)]
            }
            // Nothing for the subscriber in it; or the wait was cancelled, and must not begin
            // again.
            try Task.checkCancellation()
            return []
        }

        /// The connection is over, and with an error that trying again can't mend the subscription,
        /// too.
        private mutating func failed(_ error: SluiceError) throws(SluiceError) -> SubscriptionItem {
            session = nil
            guard hasConnected, let asked = error.retryAfter else {
                failure = error
                throw error
            }
            return lost(error.message, asked: asked)
        }

        private mutating func connectedSession() async throws(SluiceError) -> SessionConnection {
            if let session { return session }
            let session = try await SessionConnection.open(connector, isBatched: isBatched)
            self.session = session
            began = .now
            hasConnected = true
            progress.connected()
            return session
        }

        private mutating func items(
            of session: SessionConnection
        ) async throws(SluiceError) -> [SubscriptionItem] {
            let delivery: SessionMailbox.Delivery
            do {
                delivery = try await session.take()
            } catch {
                // Only cancellation ends the wait; the caller finds it.
                return []
            }
            switch delivery {
            case .messages(let messages, _): return try read(messages, session)
            case .end(let end):
                self.session = nil
                return [try ended(end)]
            }
        }

        private mutating func read(
            _ messages: [[UInt8]], _ session: SessionConnection
        ) throws(SluiceError) -> [SubscriptionItem] {
            var items: [SubscriptionItem] = []
            progress.maxRate = rate.maxRate
            for message in messages {
                var steps: [SubscriptionProgress.Step] = []
                do {
                    try progress.received(message, into: &steps)
                } catch {
                    // What came before the error counts as taken, so it has to be given out before
                    // it.
                    guard !items.isEmpty else { throw error }
                    if let loss = try? failed(error) { items.append(loss) }
                    return items
                }
                for step in steps {
                    switch step {
                    case .item(let item): items.append(item)
                    case .send(let text): session.send(text)
                    case .heartbeat(let interval): session.watch(silenceMax: interval * 2)
                    case .stands(let maxRate): rate.stands(in: session, at: maxRate)
                    }
                }
            }
            return items
        }

        private mutating func ended(
            _ end: SessionEnd
        ) throws(SluiceError) -> SubscriptionItem {
            switch end {
            case .broken(let reason): return lost(reason, asked: progress.reconnectAfter ?? .zero)
            case .closed(let code, let reason):
                let shown = reason.isEmpty ? "code \(code ?? 1005)" : "\(code ?? 1005) \(reason)"
                switch CloseCode.Disposition(closeCode: code) {
                case .reconnect:
                    return lost(
                        "the broker closed: \(shown)", asked: progress.reconnectAfter ?? .zero)
                case .newCredentials:
                    throw SluiceError(
                        .refused, code: reason, "The broker closed the session: \(shown).",
                        remedy: "Use another token; 'sluice token create' makes one.")
                case .stop:
                    throw SluiceError(
                        .failed, code: reason, "The broker closed the session: \(shown).",
                        remedy: "Trying again can't help; the broker's log says more.")
                }
            }
        }

        private mutating func lost(_ reason: String, asked: Duration) -> SubscriptionItem {
            let wait = backoff.wait(
                lasted: began.map { .now - $0 }, asked: asked, jitter: &random)
            began = nil
            self.wait = wait
            let shown = reason.hasSuffix(".") ? String(reason.dropLast()) : reason
            return .notice(.disconnected(reason: shown, retryIn: wait), message: nil)
        }
    }
}
