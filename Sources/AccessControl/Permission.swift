package import EventModel

/// What a sender may do with topics; asked by `Publishing`.
///
/// Today everybody whose token is valid may do everything, but for the broker's own topics, which
/// nobody publishes to (doc:CommonRules).
package struct Permission: Sendable {
    /// `identity` is `nil` without access control.
    package init(of identity: Identity?) {}

    package func may(publish topic: TopicName) -> Bool { !topic.isReserved }
}

extension Permission {
    /// - Throws: `forbidden`, with the place of the topic in the input.
    package func checkPublish(to topic: TopicName, at place: InputPlace?) throws(BrokerError) {
        guard !may(publish: topic) else { return }
        var error = BrokerError.reserved(topic)
        error.at = place
        throw error
    }
}
