package import EventModel

/// Whether an identity may do something, and if not, what it is told.
///
/// A refusal says nothing about whether a topic exists.
package enum Permission: Sendable {
    case granted
    /// `forbidden`.
    case refused(BrokerError)

    package func require() throws(BrokerError) {
        if case .refused(let error) = self { throw error }
    }
}

/// How much of what a subscription asks for an identity may have.
package enum SubscribeScope: Hashable, Sendable {
    case all
    /// Only the topics that these patterns match.
    case narrowed([TopicPattern])
    case none
}

extension Identity {
    /// Who asks where there is no access control.
    package static let anonymous = Identity(tokenID: "", name: "", expires: nil)

    /// Whether it may publish to this topic.
    package func may(publish topic: TopicName) -> Permission {
        reserved(topic, "only the broker publishes to it")
    }

    /// Whether it may create, change or delete this topic.
    package func may(manage topic: TopicName) -> Permission {
        reserved(topic, "only the broker creates it")
    }

    /// How much of what matches this pattern it may have.
    package func may(subscribe pattern: TopicPattern) -> SubscribeScope { .all }

    /// Topics below `sluice.` belong to the broker (PROTOCOL 1.6).
    private func reserved(_ topic: TopicName, _ why: String) -> Permission {
        guard topic.isReserved else { return .granted }
        return .refused(
            BrokerError(
                .forbidden, "\(quoted(topic.text)) is reserved: \(why).",
                remedy: "Use a name that does not begin with 'sluice.'."))
    }
}
