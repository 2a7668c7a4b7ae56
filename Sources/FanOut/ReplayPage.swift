package import EventModel

/// Events behind an offset, as the log has them, for readers that replay.
package struct ReplayPage: Sendable {
    /// Both ends of the topic in the log.
    package let position: TopicPosition
    /// What is missing below this was purged; above it, retention took it.
    package let purgedBelow: Offset
    /// Dense; the first is `after + 1`, or `position.earliest` when that is higher.
    package let events: [Event]
    /// The bytes of each in the encoding of who asked; the other encodings are made when needed.
    package let encoding: Encoding
    package let encoded: [[UInt8]]

    /// Encodes the page; on the thread that read it, so that no loop has to.
    package init(_ page: EventPage, in encoding: Encoding) {
        position = page.position
        purgedBelow = page.purgedBelow
        events = page.events
        self.encoding = encoding
        let (topic, epoch) = (page.position.topic, page.position.epoch)
        encoded = page.events.map { encoding.event(topic, epoch, $0) }
    }

    /// The events as the subscribers of a loop share them.
    func sharedEvents() -> [SharedEvent] {
        zip(events, encoded).map { event, bytes in
            SharedEvent(
                event, of: position.topic, epoch: position.epoch, encoded: (encoding, bytes))
        }
    }
}
