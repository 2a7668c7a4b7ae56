/// Events as Swift values.
extension BrokerClient {
    /// Publishes a value; when this returns, it is committed.
    ///
    /// - Parameters:
    ///   - value: It becomes JSON by `JSONEncoder`, with dates as ISO 8601 texts. For another
    ///     encoder, make an `OutgoingEvent` of its data.
    ///   - topic: The topic's name.
    ///   - key: Groups events for conflation.
    ///   - eventID: The event's own id: publishing it again appends nothing.
    ///   - idempotencyKey: As for an `OutgoingEvent`.
    ///   - patience: As for an `OutgoingEvent`.
    /// - Returns: Where it was appended.
    /// - Throws: `EncodingError`; else as for an `OutgoingEvent`.
    @discardableResult
    public func publish(
        _ value: some Encodable & Sendable, to topic: String, key: String? = nil,
        eventID: String? = nil, idempotencyKey: String? = nil,
        retryingFor patience: Duration = .zero
    ) async throws -> PublishResult {
        try await publish(
            OutgoingEvent(topic: topic, encoding: value, key: key, eventID: eventID),
            idempotencyKey: idempotencyKey, retryingFor: patience)
    }

    /// Follows topics whose events are JSON texts of a type.
    ///
    /// An event that can't be decoded is told by its `value`, and the next ones come all the same.
    ///
    /// - Parameters:
    ///   - patterns: Names and patterns; what several of them match comes once.
    ///   - type: What the events' data is read as, by `JSONDecoder` with dates as ISO 8601 texts.
    ///     For another decoder, use `Subscription.decoded(by:)`.
    ///   - start: As in `subscribe(to:from:resuming:options:)`.
    ///   - position: As there.
    ///   - options: As there.
    /// - Returns: Decoded events and notices, in the order of each topic.
    /// - Throws: When a pattern, the start, a cursor or an option is not valid.
    public func subscribe<Value: Decodable & Sendable>(
        to patterns: [String], as type: Value.Type, from start: String = "latest",
        resuming position: SubscriptionPosition = SubscriptionPosition(),
        options: SubscribeOptions = SubscribeOptions()
    ) throws(SluiceError) -> DecodedSubscription<Value> {
        try subscribe(to: patterns, from: start, resuming: position, options: options)
            .decoded(by: JSONCoding.decoder(of: type))
    }

    /// Follows the topics of one pattern, whose events are JSON texts of a type.
    ///
    /// - Parameters:
    ///   - pattern: A topic's name, or a pattern like `orders.>`.
    ///   - type: As for several patterns.
    ///   - start: As in `subscribe(to:from:resuming:options:)`.
    ///   - position: As there.
    ///   - options: As there.
    /// - Returns: Decoded events and notices, in the order of each topic.
    /// - Throws: When the pattern, the start, a cursor or an option is not valid.
    public func subscribe<Value: Decodable & Sendable>(
        to pattern: String, as type: Value.Type, from start: String = "latest",
        resuming position: SubscriptionPosition = SubscriptionPosition(),
        options: SubscribeOptions = SubscribeOptions()
    ) throws(SluiceError) -> DecodedSubscription<Value> {
        try subscribe(
            to: [pattern], as: type, from: start, resuming: position, options: options)
    }

    /// Follows the topics of one pattern, as `subscribe(to:from:resuming:options:)` those of
    /// several.
    ///
    /// - Parameters:
    ///   - pattern: A topic's name, or a pattern like `orders.>`.
    ///   - start: As there.
    ///   - position: As there.
    ///   - options: As there.
    /// - Returns: Events and notices, in the order of each topic.
    /// - Throws: When the pattern, the start, a cursor or an option is not valid.
    public func subscribe(
        to pattern: String, from start: String = "latest",
        resuming position: SubscriptionPosition = SubscriptionPosition(),
        options: SubscribeOptions = SubscribeOptions()
    ) throws(SluiceError) -> Subscription {
        try subscribe(to: [pattern], from: start, resuming: position, options: options)
    }
}

extension OutgoingEvent {
    /// Makes an event of a value.
    ///
    /// - Parameters:
    ///   - topic: The topic's name.
    ///   - value: It becomes JSON by `JSONEncoder`, with dates as ISO 8601 texts.
    ///   - key: Groups events for conflation.
    ///   - eventID: The event's own id: publishing it again appends nothing.
    ///   - attributes: A JSON object with further facts about the event.
    /// - Throws: `EncodingError`.
    public init(
        topic: String, encoding value: some Encodable, key: String? = nil, eventID: String? = nil,
        attributes: [UInt8]? = nil
    ) throws {
        self.init(
            topic: topic, data: try JSONCoding.encode(value), key: key, eventID: eventID,
            attributes: attributes)
    }
}
