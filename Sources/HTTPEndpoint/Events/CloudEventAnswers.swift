internal import CloudEvents
internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import SessionProtocol
internal import Transport

// Events for whoever accepts CloudEvents (doc:CloudEvents).

extension HTTPAnswer {
    /// One event in the JSON format.
    static func cloudEvent(topic: TopicName, epoch: Epoch, event: Event) -> HTTPAnswer {
        HTTPAnswer(
            status: .ok,
            headers: ["content-type": MediaType.cloudEvent.rawValue, "vary": "accept"],
            body: ByteBuffer(
                bytes: CloudEventMessage.encode(topic: topic, epoch: epoch, event: event)))
    }
}

extension EventPageDocument {
    /// The page as a batch: a reset and gaps are events before the others, and what a batch has no
    /// place for is in headers.
    func cloudEvents(now: Timestamp, headers: HTTPHeaders) -> HTTPAnswer {
        let position = page.position
        let notices = (reset.map { [.reset($0)] } ?? []) + gaps.map(BrokerMessage.gap)
        let events =
            notices.compactMap { CloudEventMessage.encode($0, now: now) }
            + page.events.map {
                CloudEventMessage.encode(topic: position.topic, epoch: position.epoch, event: $0)
            }
        var body: [UInt8] = [UInt8(ascii: "[")]
        body += events.joined(separator: [UInt8(ascii: ",")])
        body.append(UInt8(ascii: "]"))
        var all: HTTPHeaders = [
            "content-type": MediaType.cloudEventBatch.rawValue,
            "sluice-earliest": String(position.earliest),
            "sluice-latest": String(position.latest), "vary": "accept",
        ]
        all.add(contentsOf: headers)
        return HTTPAnswer(status: .ok, headers: all, body: ByteBuffer(bytes: body))
    }
}
