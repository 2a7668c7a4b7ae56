/// An event as a subscriber gets it.
public struct ReceivedEvent: Equatable, Sendable {
    /// The topic it was published to.
    public var topic: String
    /// Its position in the topic: 1, 2, 3 … dense.
    public var offset: Int64
    /// Where a subscriber stands that has consumed it.
    public var cursor: String
    /// When it was appended, RFC 3339.
    public var time: String
    /// Groups events for conflation.
    public var key: String?
    /// The event's own id.
    public var eventID: String?
    /// A JSON object with further facts about the event.
    public var attributes: [UInt8]?
    /// The JSON text, byte for byte as published.
    public var data: [UInt8]
    /// The broker's whole message, a JSON object.
    public var message: [UInt8]

    /// Makes an event, for tests of what handles events.
    public init(
        topic: String, offset: Int64, cursor: String, time: String, key: String? = nil,
        eventID: String? = nil, attributes: [UInt8]? = nil, data: [UInt8], message: [UInt8]
    ) {
        self.topic = topic
        self.offset = offset
        self.cursor = cursor
        self.time = time
        self.key = key
        self.eventID = eventID
        self.attributes = attributes
        self.data = data
        self.message = message
    }
}
