/// What an identity may do: which topics it may publish to and read, what it may manage, and how
/// fast it may publish (doc:Words).
///
/// Whatever is not granted is refused; the broker's own topics are nobody's to write.
package struct Grants: Hashable, Sendable {
    /// What somebody may manage beyond his own events.
    package enum AdminRight: String, CaseIterable, Hashable, Sendable {
        /// Create, change, purge and delete topics.
        case topics
        /// Make, list and revoke tokens.
        case tokens
        /// List the node's subscribers, and end them.
        case subscribers
    }

    package var publish: [TopicPattern]
    package var subscribe: [TopicPattern]
    package var admin: Set<AdminRight>
    /// Events a second that may be published; `nil`: as many as the broker takes.
    package var eventsPerSecond: Int?
    /// Policies that a subscription may have; `nil`: all.
    package var overflow: Set<OverflowPolicy>?

    package init(
        publish: [TopicPattern], subscribe: [TopicPattern], admin: Set<AdminRight> = [],
        eventsPerSecond: Int? = nil, overflow: Set<OverflowPolicy>? = nil
    ) {
        self.publish = publish
        self.subscribe = subscribe
        self.admin = admin
        self.eventsPerSecond = eventsPerSecond
        self.overflow = overflow
    }

    /// Everything, as a token without grants has it.
    package static let everything = Grants(
        publish: [.everything], subscribe: [.everything, .reserved],
        admin: Set(AdminRight.allCases))
}
