/// A subscription whose events are decoded as they are taken.
///
/// It is a `Subscription` in everything else: its notices are passed on, gaps and resets among
/// them, and an event that can't be decoded is an item, not an end.
public struct DecodedSubscription<Value: Sendable>: AsyncSequence, Sendable {
    /// Events and notices.
    public typealias Element = DecodedItem<Value>

    /// The subscription whose events are decoded.
    public let subscription: Subscription
    private let decode: @Sendable ([UInt8]) throws -> Value

    init(
        _ subscription: Subscription,
        decodedBy decode: @escaping @Sendable ([UInt8]) throws -> Value
    ) {
        self.subscription = subscription
        self.decode = decode
    }

    /// Begins at the start position, with the first item that is asked for.
    public func makeAsyncIterator() -> Iterator {
        Iterator(base: subscription.makeAsyncIterator(), decode: decode)
    }

    /// Takes items, as `Subscription.Iterator` does.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        var base: Subscription.Iterator
        let decode: @Sendable ([UInt8]) throws -> Value

        /// The next item; its event is decoded in the caller's task.
        ///
        /// - Returns: Never `nil`: a subscription has no end of its own.
        /// - Throws: As `Subscription.Iterator.next`, and never because of an event's data.
        public mutating func next() async throws -> DecodedItem<Value>? {
            switch try await base.next() {
            case .event(let event): .event(DecodedEvent(event, decodedBy: decode))
            case .notice(let notice, let message): .notice(notice, message: message)
            case nil: nil
            }
        }
    }
}

extension Subscription {
    /// The events alone, for a program that need not know what it did not get: gaps, resets and
    /// lost connections are left out.
    public var events: some AsyncSequence<ReceivedEvent, any Error> & Sendable {
        compactMap { $0.event }
    }

    /// The same subscription, with its events decoded.
    ///
    /// - Parameter decode: Reads a JSON text; called in the task that iterates.
    /// - Returns: The subscription of decoded events.
    public func decoded<Value>(
        by decode: @escaping @Sendable ([UInt8]) throws -> Value
    ) -> DecodedSubscription<Value> {
        DecodedSubscription(self, decodedBy: decode)
    }
}

extension DecodedSubscription {
    /// The events alone, for a program that need not know what it did not get: gaps, resets and
    /// lost connections are left out.
    public var events: some AsyncSequence<DecodedEvent<Value>, any Error> & Sendable {
        compactMap { $0.event }
    }
}
