internal import EventModel
internal import SluiceClient

/// Gathers events into requests that the broker appends in one commit each.
///
/// A request is either of events with ids of their own, or of events without: an idempotency key of
/// the request would overrule the ids (doc:HTTP), and without either a retry could append twice.
struct PublishBatch {
    /// As many as the broker takes into one commit (doc:AppendAndFollow).
    static let eventsMax = 500
    static let bytesMax = 1 << 20

    private(set) var events: [OutgoingEvent] = []
    private(set) var byteCount = 0

    var isEmpty: Bool { events.isEmpty }

    /// Whether the event belongs into the same request.
    func takes(_ event: OutgoingEvent) -> Bool {
        guard let first = events.first else { return true }
        return (first.eventID == nil) == (event.eventID == nil) && events.count < Self.eventsMax
            && byteCount + event.data.count <= Self.bytesMax
    }

    mutating func append(_ event: OutgoingEvent) {
        events.append(event)
        byteCount += event.data.count
    }
}
