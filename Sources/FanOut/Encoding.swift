package import EventModel
internal import Filtering

/// One of the byte forms in which events and notices are delivered (doc:Words), such as a session's
/// frames or lines of NDJSON.
///
/// What counts is which one it is, not what it makes: an event's bytes are made once a loop for
/// each encoding in use there, and shared by all subscribers that take it.
package final class Encoding: Sendable {
    package let event: @Sendable (TopicName, Epoch, Event) -> [UInt8]
    /// Empty for one that is not told in this form.
    package let notice: @Sendable (Notice) -> [UInt8]
    /// Whether nothing goes out behind a notice: the subscriber's output has to end there.
    package let isLast: @Sendable (Notice) -> Bool
    /// How those that wait together are joined; `nil`: each is sent as it is.
    package let joining: Joining?

    package init(
        event: @escaping @Sendable (TopicName, Epoch, Event) -> [UInt8],
        notice: @escaping @Sendable (Notice) -> [UInt8],
        isLast: @escaping @Sendable (Notice) -> Bool = { _ in false }, joining: Joining? = nil
    ) {
        self.event = event
        self.notice = notice
        self.isLast = isLast
        self.joining = joining
    }
}

/// An event as the subscribers of one loop share it: with its bytes in each encoding that one of
/// them takes, made when the first of them needs it.
///
/// Confined to its event loop.
package final class SharedEvent {
    package let topic: TopicName
    package let epoch: Epoch
    package let event: Event
    /// Mostly there is one encoding on a loop.
    private var first: (encoding: Encoding, bytes: [UInt8])?
    private var others: [(encoding: Encoding, bytes: [UInt8])] = []
    /// What filters said of it.
    private var verdicts: [(filter: EventFilter, isFulfilled: Bool)] = []
    /// What it counts for among the newest events in memory.
    var countedBytes = 0

    package init(
        _ event: Event, of topic: TopicName, epoch: Epoch,
        encoded: (encoding: Encoding, bytes: [UInt8])? = nil
    ) {
        self.topic = topic
        self.epoch = epoch
        self.event = event
        first = encoded
    }

    package var offset: Offset { event.offset }

    /// The event in an encoding.
    func bytes(in encoding: Encoding) -> [UInt8] {
        if let first, first.encoding === encoding { return first.bytes }
        if let other = others.first(where: { $0.encoding === encoding }) { return other.bytes }
        let bytes = encoding.event(topic, epoch, event)
        if first == nil {
            first = (encoding, bytes)
        } else {
            others.append((encoding, bytes))
        }
        return bytes
    }

    /// Whether it fulfils the filter, which is asked once.
    func fulfils(_ filter: EventFilter) -> Bool {
        if let known = verdicts.first(where: { $0.filter == filter }) { return known.isFulfilled }
        let isFulfilled = filter.matches(event, of: topic)
        verdicts.append((filter, isFulfilled))
        return isFulfilled
    }

    /// How many filters were asked.
    var verdictCount: Int { verdicts.count }

    /// Bytes in memory: its own, and those of each encoding.
    var byteCount: Int {
        others.reduce(event.content.byteCount + (first?.bytes.count ?? 0)) { $0 + $1.bytes.count }
    }
}

@available(*, unavailable) extension SharedEvent: Sendable {}
