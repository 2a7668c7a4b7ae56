package import EventModel

/// A CloudEvent (CloudEvents 1.0.2) on its way into the log.
///
/// Its `id` is the event's id, its `partitionkey` the key, and the other context attributes are the
/// event's attributes (doc:CloudEvents).
package struct CloudEvent: Hashable, Sendable {
    package var event: NewEvent
    /// Within which the id is unique (3.1 "source").
    package var source: String
}

/// What becomes of a CloudEvent's data in an event, which is one JSON value.
enum DataForm: String {
    /// It is that value, or the text in it (JSON format 3.1.1).
    case value
    /// The value is `data_base64`.
    case base64
    /// There is none, and the value is `null`.
    case none
}
