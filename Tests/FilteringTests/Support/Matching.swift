import EventModel
import Filtering

/// Whether a filter matches an event of the topic `orders.eu`.
func matches(
    _ filter: String, _ data: String, key: String? = nil, attributes: String? = nil
) throws -> Bool {
    try EventFilter(filter, bytesMax: 4096).matches(
        Event(
            offset: 1, time: Timestamp(microseconds: 0),
            content: NewEvent(
                data: Array(data.utf8), key: key, attributes: attributes.map { Array($0.utf8) })),
        of: try TopicName("orders.eu"))
}

/// How a filter is refused; `nil` if it is not.
func refusal(_ filter: String, bytesMax: Int = 4096) -> BrokerError? {
    do {
        _ = try EventFilter(filter, bytesMax: bytesMax)
        return nil
    } catch {
        return error
    }
}
