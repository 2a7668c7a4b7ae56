import EventModel

/// The subscriptions of one session, those to come with the cursors that were sent ahead, and which
/// of them covers what.
///
/// Exact names are looked up; patterns with wildcards are compared with one another, so they are
/// bounded on their own.
struct SubscriptionTable: Sendable {
    private var entries: [Int64: Entry] = [:]
    private var names: [TopicName: Int64] = [:]
    private var wildcards: [PatternIndex.Entry] = []
    private var ahead = CursorsAhead()

    struct Entry: Sendable {
        let patterns: [TopicPattern]
        var credit: GrantedCredit
        var state: State
    }

    enum State: Sendable {
        /// The broker has not answered yet.
        case asked
        /// The client unsubscribed before the broker answered.
        case askedAndUnwanted
        case standing
    }

    subscript(id: Int64) -> State? { entries[id]?.state }

    /// Cursors came ahead of the subscription of this id.
    func isToCome(_ id: Int64) -> Bool { ahead.has(id) }

    /// Keeps cursors for a subscription to come.
    ///
    /// - Throws: `invalid_request` if the id is taken or others of it were refused,
    ///   `subscription_limit`. The caller then has to call `refused`.
    mutating func keep(
        _ cursors: [TopicName: Cursor], for id: Int64, limits: Limits
    ) throws(BrokerError) {
        try checkNew(id, limits: limits)
        try ahead.add(cursors, for: id, limits: limits)
    }

    /// A message of the client was refused.
    ///
    /// A subscription to come is given up with its subscribe, and must not stand without cursors
    /// that were refused.
    mutating func refused(_ refusal: ClientMessageRefusal, limits: Limits) {
        guard let id = refusal.id else { return }
        switch refusal.to {
        case "cursors" where mayCome(id, limits: limits): ahead.refuse(id)
        case "subscribe": forgetToCome(id)
        default: break
        }
    }

    mutating func forgetToCome(_ id: Int64) { _ = try? ahead.take(id) }

    private func mayCome(_ id: Int64, limits: Limits) -> Bool {
        do throws(BrokerError) { try checkNew(id, limits: limits) } catch { return false }
        return true
    }

    private func checkNew(_ id: Int64, limits: Limits) throws(BrokerError) {
        guard entries[id] == nil else {
            throw BrokerError(
                .invalidRequest, "Subscription \(id) exists already.",
                remedy: "Use another id.", at: InputPlace(field: "id"))
        }
        let others = ahead.idCount - (ahead.has(id) ? 1 : 0)
        guard entries.count + others < limits.subscriptionsMax else {
            throw BrokerError(
                .subscriptionLimit,
                "The session has \(limits.subscriptionsMax) subscriptions already.")
        }
    }

    /// Adds a subscription that was asked for.
    ///
    /// The request gets the cursors that came ahead; of two for one topic its own counts.
    ///
    /// - Throws: What is wrong with it: `invalid_request`, `subscription_limit`, or `overlap` with
    ///   the first one named.
    mutating func add(
        _ request: inout SubscribeRequest, limits: Limits
    ) throws(BrokerError) {
        request.cursors.merge(try ahead.take(request.id)) { own, _ in own }
        try request.check(limits)
        try checkNew(request.id, limits: limits)
        let wild = request.patterns.filter { $0.exactName == nil }
        guard wildcards.count + wild.count <= limits.wildcardsMax else {
            throw BrokerError(
                .subscriptionLimit,
                "The session would have over \(limits.wildcardsMax) patterns with wildcards.")
        }
        let exact = request.patterns.compactMap(\.exactName)
        guard names.count + exact.count <= limits.topicsPerSubscribeMax else {
            throw BrokerError(
                .subscriptionLimit,
                "The session would name over \(limits.topicsPerSubscribeMax) topics.")
        }
        if let (mine, other, id) = firstOverlap(exact: exact, wild: wild) {
            throw BrokerError(
                .overlap, "\(quoted(mine)) overlaps \(quoted(other)) of subscription \(id).")
        }
        entries[request.id] = Entry(
            patterns: request.patterns, credit: GrantedCredit(request.options.credit), state: .asked
        )
        for name in exact { names[name] = request.id }
        for pattern in wild { wildcards.append((pattern, request.id)) }
    }

    private func firstOverlap(
        exact: [TopicName], wild: [TopicPattern]
    ) -> (mine: String, other: String, id: Int64)? {
        let standing = PatternIndex(exact.isEmpty ? [] : wildcards)
        for name in exact {
            if let id = names[name] { return (name.text, name.text, id) }
            if let other = standing.match(name) { return (name.text, other.pattern.text, other.id) }
        }
        for pattern in wild {
            for other in wildcards where other.pattern.overlaps(pattern) {
                return (pattern.text, other.pattern.text, other.id)
            }
        }
        guard !wild.isEmpty else { return nil }
        let asked = PatternIndex(wild.map { ($0, 0) })
        // The first by name, so that the answer does not depend on the dictionary's order.
        let first = names.lazy.filter { asked.match($0.key) != nil }
            .min { $0.key.text < $1.key.text }
        guard let first, let mine = asked.match(first.key) else { return nil }
        return (mine.pattern.text, first.key.text, first.value)
    }

    /// The client takes more events of a subscription, which may not be answered yet.
    ///
    /// - Throws: `invalid_request` if there is none, or none that uses credit.
    mutating func grant(_ events: Int64, to id: Int64) throws(BrokerError) {
        try checkWanted(id)
        try entries[id]?.credit.add(events)
    }

    /// - Throws: `invalid_request` if there is no such subscription, or the client gave it up.
    func checkWanted(_ id: Int64) throws(BrokerError) {
        switch entries[id]?.state {
        case .asked, .standing: break
        case .askedAndUnwanted, nil: throw Self.missing(id)
        }
    }

    static func missing(_ id: Int64) -> BrokerError {
        BrokerError(
            .invalidRequest, "There is no subscription \(id).",
            remedy: "Use the id of a subscription.", at: InputPlace(field: "id"))
    }

    mutating func set(_ id: Int64, _ state: State) { entries[id]?.state = state }

    mutating func remove(_ id: Int64) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        for pattern in entry.patterns {
            if let name = pattern.exactName { names[name] = nil }
        }
        wildcards.removeAll { $0.id == id }
    }
}
