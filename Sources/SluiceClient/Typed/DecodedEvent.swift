/// An event whose data was decoded, or was not what it should be.
///
/// Events that can't be decoded are values like any other: the subscription goes on behind them.
public struct DecodedEvent<Value: Sendable>: Sendable {
    /// The event as it came.
    public let received: ReceivedEvent
    /// What its data says, or why it can't be read as a `Value`.
    public let result: Result<Value, EventDecodingError>

    /// What the event's data says.
    ///
    /// - Throws: When it can't be read as a `Value`; the next event may be all right.
    public var value: Value { get throws(EventDecodingError) { try result.get() } }

    /// The topic it was published to.
    public var topic: String { received.topic }
    /// Its position in the topic: 1, 2, 3 … dense.
    public var offset: Int64 { received.offset }
    /// Where a subscriber stands that has consumed it.
    public var cursor: String { received.cursor }
    /// Groups events for conflation.
    public var key: String? { received.key }
    /// The JSON text, byte for byte as published.
    public var data: [UInt8] { received.data }

    /// Decodes an event's data.
    ///
    /// - Parameters:
    ///   - event: The event.
    ///   - decode: Reads a JSON text.
    public init(_ event: ReceivedEvent, decodedBy decode: ([UInt8]) throws -> Value) {
        received = event
        result = Result { try decode(event.data) }.mapError { error in
            EventDecodingError(topic: event.topic, offset: event.offset, underlying: error)
        }
    }
}

/// An event's data can't be read as what a subscriber expected.
public struct EventDecodingError: Error, CustomStringConvertible {
    /// The event's topic.
    public let topic: String
    /// The event's offset in it.
    public let offset: Int64
    /// What the decoder said, usually a `DecodingError`.
    public let underlying: any Error

    /// One line with all of it; what the decoder says may quote a part of the data.
    public var description: String { "Event \(offset) of \(topic) can't be decoded: \(underlying)" }
}

/// One step of a subscription whose events are decoded.
public enum DecodedItem<Value: Sendable>: Sendable {
    /// An event.
    case event(DecodedEvent<Value>)
    /// Something else, with the broker's message if it came from there.
    case notice(SubscriptionNotice, message: [UInt8]?)

    /// The event, if it is one.
    public var event: DecodedEvent<Value>? {
        if case .event(let event) = self { event } else { nil }
    }
}
