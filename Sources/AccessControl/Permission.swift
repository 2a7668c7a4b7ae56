package import EventModel

/// What a sender may do with topics; asked by `Publishing`, at the start of a subscription, and of
/// the routes of HTTP.
///
/// It is decided by the sender's grants alone, never by what topics there are, so that a refusal
/// tells nothing of them. Nobody publishes to the broker's own topics or manages them
/// (doc:CommonRules).
package struct Permission: Sendable {
    /// Those a subscription gets of what it asks for.
    package enum Scope: Hashable, Sendable {
        case all
        case none
        case narrowed([TopicPattern])
    }

    private let grants: Grants

    /// `identity` is `nil` without access control.
    package init(of identity: Identity?) { grants = identity?.grants ?? .everything }

    package func may(publish topic: TopicName) -> Bool {
        !topic.isReserved && grants.cover(publish: topic)
    }

    /// Whether it may create the topic, and change or delete it.
    package func may(manage topic: TopicName) -> Bool { !topic.isReserved && managesTopics }

    private var managesTopics: Bool { grants.admin.contains(.topics) }

    /// Which topics of the pattern it may read: those there are, and those that will come.
    package func may(subscribe pattern: TopicPattern) -> Scope {
        if let name = pattern.exactName { return grants.cover(subscribe: name) ? .all : .none }
        return Self.scope(of: pattern, within: grants.subscribe)
    }

    /// Which topics of the pattern it may know of: those that it may read, and those that it
    /// manages.
    package func may(list pattern: TopicPattern) -> Scope {
        managesTopics
            ? Self.scope(of: pattern, within: [.everything] + grants.subscribe)
            : may(subscribe: pattern)
    }

    private static func scope(of pattern: TopicPattern, within granted: [TopicPattern]) -> Scope {
        var common: [TopicPattern] = []
        for grant in granted {
            guard let part = grant.intersection(pattern) else { continue }
            if part == pattern { return .all }
            guard !common.contains(where: { $0.covers(part) }) else { continue }
            common.removeAll { part.covers($0) }
            common.append(part)
        }
        return common.isEmpty ? .none : .narrowed(common)
    }
}

extension Permission {
    /// - Throws: `forbidden`, with the place of the topic in the input.
    package func checkPublish(to topic: TopicName, at place: InputPlace?) throws(BrokerError) {
        guard !may(publish: topic) else { return }
        var error = Self.refusal(of: topic, "publish to \(topic)")
        error.at = place
        throw error
    }

    /// - Throws: `forbidden`.
    package func checkManage(_ topic: TopicName) throws(BrokerError) {
        guard !may(manage: topic) else { return }
        throw Self.refusal(of: topic, "manage topics")
    }

    private static func refusal(of topic: TopicName, _ act: String) -> BrokerError {
        topic.isReserved
            ? .reserved(topic) : BrokerError(.forbidden, "The token does not allow to \(act).")
    }

    /// - Throws: `forbidden`.
    package func checkRead(_ topic: TopicName) throws(BrokerError) {
        try check(may(subscribe: TopicPattern(topic)), topic)
    }

    /// - Throws: `forbidden`.
    package func checkList(_ topic: TopicName) throws(BrokerError) {
        try check(may(list: TopicPattern(topic)), topic)
    }

    private func check(_ scope: Scope, _ topic: TopicName) throws(BrokerError) {
        guard scope == .all else {
            throw BrokerError(.forbidden, "The token does not allow to read \(topic).")
        }
    }
}
