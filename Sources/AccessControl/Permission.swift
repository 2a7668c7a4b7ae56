package import EventModel

/// What a sender may do with topics; asked by `Publishing`, at the start of a subscription, and of
/// the routes of HTTP.
///
/// Today everybody whose token is valid may do everything, but for the broker's own topics, which
/// nobody publishes to or manages (doc:CommonRules).
package struct Permission: Sendable {
    /// Those a subscription gets of what it asks for.
    package enum Scope: Hashable, Sendable {
        case all
        case none
        case narrowed([TopicPattern])
    }

    /// `identity` is `nil` without access control.
    package init(of identity: Identity?) {}

    package func may(publish topic: TopicName) -> Bool { !topic.isReserved }

    /// Whether it may create the topic, and change or delete it.
    package func may(manage topic: TopicName) -> Bool { !topic.isReserved }

    /// Which topics of the pattern it may read: those there are, and those that will come.
    package func may(subscribe pattern: TopicPattern) -> Scope { .all }
}

extension Permission {
    /// - Throws: `forbidden`, with the place of the topic in the input.
    package func checkPublish(to topic: TopicName, at place: InputPlace?) throws(BrokerError) {
        guard !may(publish: topic) else { return }
        var error = BrokerError.reserved(topic)
        error.at = place
        throw error
    }

    /// - Throws: `forbidden`.
    package func checkManage(_ topic: TopicName) throws(BrokerError) {
        guard may(manage: topic) else { throw BrokerError.reserved(topic) }
    }

    /// - Throws: `forbidden`.
    package func checkRead(_ topic: TopicName) throws(BrokerError) {
        guard may(subscribe: TopicPattern(topic)) == .all else {
            throw BrokerError(.forbidden, "The token does not allow to read \(topic).")
        }
    }
}
