internal import EventModel

/// Subscriptions of one loop with equal patterns: what matches one matches all, so each topic finds
/// them together.
final class SubscriptionGroup {
    let patterns: [TopicPattern]
    /// Without those that it names twice, which would get everything twice.
    fileprivate let distinct: [TopicPattern]
    /// The log follows what its wildcards match for the loop, until it is gone: a subscription has
    /// joined.
    private(set) var isFollowed = false
    /// In no order.
    private(set) var subscriptions: [Subscription] = []
    /// When it was last seen with a subscription.
    fileprivate(set) var lastUsed: ContinuousClock.Instant

    fileprivate init(_ patterns: [TopicPattern], now: ContinuousClock.Instant) {
        self.patterns = patterns
        var named: Set<TopicPattern> = []
        distinct = patterns.filter { named.insert($0).inserted }
        lastUsed = now
    }

    func joined() { isFollowed = !wildcards.isEmpty }

    /// Those with a wildcard.
    var wildcards: [TopicPattern] { distinct.filter { $0.exactName == nil } }

    fileprivate func add(_ subscription: Subscription) {
        subscription.place = (self, subscriptions.count)
        subscriptions.append(subscription)
    }

    fileprivate func remove(_ subscription: Subscription) {
        guard let place = subscription.place else { return }
        subscription.place = nil
        let last = subscriptions.removeLast()
        guard last !== subscription else { return }
        subscriptions[place.slot] = last
        last.place = place
    }
}

/// All subscriptions of a loop, found by topic without comparing each pattern.
struct SubscriptionGroups {
    private var groups: [[TopicPattern]: SubscriptionGroup] = [:]
    private var exact: [TopicName: [SubscriptionGroup]] = [:]
    private var wild = PatternTree<SubscriptionGroup>()
    /// Raised when other groups may match a topic than before; those with exact names only do it
    /// to their topics alone.
    private(set) var version = 0

    /// What a change of groups is to others.
    struct Change {
        /// Patterns with wildcards that are new here, or gone.
        var wildcards: [TopicPattern] = []
        /// Topics that are named by a group which is new, or gone.
        var names: [TopicName] = []
    }

    mutating func add(_ subscription: Subscription, now: ContinuousClock.Instant) -> Change {
        if let group = groups[subscription.patterns] {
            group.add(subscription)
            return Change()
        }
        let group = SubscriptionGroup(subscription.patterns, now: now)
        groups[subscription.patterns] = group
        group.add(subscription)
        return changed(group) { groups, pattern in
            if let name = pattern.exactName {
                groups.exact[name, default: []].append(group)
            } else {
                groups.wild.insert(group, for: pattern)
            }
        }
    }

    /// A group with wildcards is kept for a while, for those who reconnect.
    mutating func remove(_ subscription: Subscription, now: ContinuousClock.Instant) -> Change {
        guard let group = subscription.place?.group else { return Change() }
        group.remove(subscription)
        group.lastUsed = now
        guard group.subscriptions.isEmpty, group.wildcards.isEmpty else { return Change() }
        return remove(group)
    }

    /// Lets go the groups that nobody has been in for longer than `time`.
    mutating func removeIdle(for time: Duration, now: ContinuousClock.Instant) -> [Change] {
        for group in groups.values where !group.subscriptions.isEmpty { group.lastUsed = now }
        return groups.values.filter { now - $0.lastUsed > time }.map { remove($0) }
    }

    private mutating func remove(_ group: SubscriptionGroup) -> Change {
        groups[group.patterns] = nil
        return changed(group) { groups, pattern in
            if let name = pattern.exactName {
                groups.exact[name]?.removeAll { $0 === group }
                if groups.exact[name]?.isEmpty == true { groups.exact[name] = nil }
            } else {
                groups.wild.remove(pattern) { $0 === group }
            }
        }
    }

    private mutating func changed(
        _ group: SubscriptionGroup, _ body: (inout SubscriptionGroups, TopicPattern) -> Void
    ) -> Change {
        for pattern in group.distinct { body(&self, pattern) }
        let wildcards = group.wildcards
        if !wildcards.isEmpty { version += 1 }
        return Change(wildcards: wildcards, names: group.distinct.compactMap(\.exactName))
    }

    /// Whether a subscription has the topic by its name.
    func hasSubscription(named topic: TopicName) -> Bool {
        exact[topic]?.contains { !$0.subscriptions.isEmpty } ?? false
    }

    /// Whether a subscription that has joined has the topic by a wildcard.
    func hasJoined(matching topic: TopicName) -> Bool {
        var isFound = false
        wild.forEach(matching: topic) { group in
            isFound = group.subscriptions.contains(where: \.hasJoined)
            return !isFound
        }
        return isFound
    }

    /// The groups that a topic belongs to, each once.
    func matching(_ topic: TopicName) -> [SubscriptionGroup] {
        var found = exact[topic] ?? []
        guard !wild.isEmpty else { return found }
        wild.forEach(matching: topic) { group in
            if !found.contains(where: { $0 === group }) { found.append(group) }
            return true
        }
        return found
    }
}
