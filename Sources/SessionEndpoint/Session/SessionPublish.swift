internal import EventModel
package import Publishing
package import SessionProtocol

extension PublishRequest {
    /// The publish of a session's message (doc:Session).
    package init(_ message: PublishMessage) {
        self.init(
            .toOne(
                message.topic, [message.event], on: message.ifHead.map { .head($0) },
                at: InputPlace(field: "topic")))
    }
}
