package import EventModel
package import Filtering

/// The query of the single-topic stream, and of following over HTTP (doc:HTTP).
package struct StreamQuery: Hashable, Sendable {
    /// At least one: the topic of the path, or those that the query names.
    package var patterns: [TopicPattern]
    package var from: StartPosition
    /// Wins over `from`, topic by topic.
    package var cursors: [TopicName: Cursor] = [:]
    /// `from` is what a broker told, and not the client's own word.
    package var isResumed = false
    /// All that the broker told, in the order in which topics moved.
    package private(set) var position: StreamPosition?
    package var options: SubscriptionOptions
    package var filter: EventFilter?
    package var view = StreamView.message

    package init(
        patterns: [TopicPattern] = [], from: StartPosition = .latest,
        options: SubscriptionOptions = SubscriptionOptions(), filter: EventFilter? = nil
    ) {
        self.patterns = patterns
        self.from = from
        self.options = options
        self.filter = filter
    }

    private static let known = ["from", "overflow", "max_rate", "credit", "filter", "view"]

    /// The query of one topic, which the path names.
    ///
    /// - Parameters:
    ///   - topic: Of the path.
    ///   - items: Names and values, decoded.
    ///   - terms: How long a filter may be.
    /// - Throws: `unknown_field` for unknown and repeated items, `invalid_start`, `invalid_filter`,
    ///   `invalid_request`. Values of unknown items are never told: they may be secrets.
    package init(
        of topic: TopicName, items: [(name: String, value: String)], terms: SessionTerms
    ) throws(BrokerError) {
        self.init(patterns: [TopicPattern(topic)])
        try readQuery(items, known: Self.known) { (name, value) throws(BrokerError) in
            try read(name, value, terms)
        }
    }

    /// The query of a stream whose topics it names itself: it may have `topic` and `cursor` several
    /// times, and a position as `from`.
    ///
    /// - Parameters:
    ///   - items: Names and values, decoded.
    ///   - lastEventID: Beats `from` and the cursors; `nil` if there is none.
    ///   - terms: How many topics, and how long a filter may be.
    /// - Throws: As that of one topic, and `invalid_pattern`.
    package init(
        items: [(name: String, value: String)], lastEventID: String?, terms: SessionTerms
    ) throws(BrokerError) {
        self.init()
        try readQuery(
            items, known: ["topic", "cursor"] + Self.known, repeated: ["topic", "cursor"]
        ) { (name, value) throws(BrokerError) in
            switch name {
            case "topic": patterns.append(try Self.pattern(value))
            case "cursor": try readCursor(value)
            case "from" where StreamPosition.isMeant(by: value):
                position = try StreamPosition(value, field: name)
            default: try read(name, value, terms)
            }
        }
        guard (1...terms.limits.topicsPerSubscribeMax).contains(patterns.count) else {
            throw BrokerError(
                .invalidRequest,
                "The query has \(patterns.count) times 'topic'; it may have 1 to "
                    + "\(terms.limits.topicsPerSubscribeMax).",
                remedy: "Send '?topic=' with a name or a pattern.", at: InputPlace(field: "topic"))
        }
        if let lastEventID {
            position = try StreamPosition(lastEventID, field: "Last-Event-ID")
            cursors = [:]
        }
        if let position {
            from = position.start
            isResumed = true
        }
        try SubscribeRequest(id: 0, patterns: patterns, from: from, cursors: cursors)
            .check(terms.limits, topics: "topic", cursors: "cursor")
        if let position { goOn(at: position) }
    }

    /// Takes the position's cursors; those of topics that the query does not have (any more) mean
    /// nothing.
    private mutating func goOn(at position: StreamPosition) {
        let names = Set(patterns.compactMap(\.exactName))
        let wildcards = PatternIndex(
            patterns.filter { $0.exactName == nil }.map { ($0, 0) })
        let covered = position.cursors.filter { topic, _ in
            names.contains(topic) || wildcards.match(topic) != nil
        }
        cursors.merge(covered) { own, _ in own }
    }

    private mutating func read(
        _ name: String, _ value: String, _ terms: SessionTerms
    ) throws(BrokerError) {
        switch name {
        case "from": from = try StartPosition(value, field: name)
        case "overflow":
            guard let policy = OverflowPolicy(rawValue: value) else {
                throw BrokerError(
                    .invalidRequest,
                    "'overflow' must be replay, conflate, drop_oldest or disconnect.",
                    at: InputPlace(field: name))
            }
            options.overflow = policy
        case "max_rate":
            options.maxRate = Int(try Self.integer(name, value, in: 1...Limits.integerMax))
        case "credit":
            options.credit = try Self.integer(name, value, in: 0...Limits.integerMax)
        case "filter": filter = try terms.filter(value)
        case "view":
            guard let view = StreamView(rawValue: value) else {
                throw BrokerError(
                    .invalidRequest, "'view' must be message or data.",
                    at: InputPlace(field: name))
            }
            self.view = view
        default: preconditionFailure("bug: \(name) is known, and not read")
        }
    }

    private static func pattern(_ text: String) throws(BrokerError) -> TopicPattern {
        do throws(BrokerError) { return try TopicPattern(text) } catch {
            var error = error
            error.at = InputPlace(field: "topic")
            throw error
        }
    }

    /// `<topic>:<cursor>`, as messages tell both.
    private mutating func readCursor(_ text: String) throws(BrokerError) {
        guard let colon = text.firstIndex(of: ":"),
            let topic = try? TopicName(String(text[..<colon])),
            let cursor = Cursor(text[text.index(after: colon)...]), cursors[topic] == nil
        else {
            throw BrokerError(
                .invalidRequest,
                "\(quoted(text)) is not '<topic>:<cursor>', or the topic is there twice.",
                remedy: "Send the last cursor of each topic, like cursor=orders.eu:k3f9-42.",
                at: InputPlace(field: "cursor"))
        }
        cursors[topic] = cursor
    }

    private static func integer(
        _ name: String, _ text: String, in bounds: ClosedRange<Int64>
    ) throws(BrokerError) -> Int64 {
        guard let value = Cursor.offset(text), bounds.contains(value) else {
            throw BrokerError(
                .invalidRequest,
                "\(quoted(name)) must be an integer from \(bounds.lowerBound) to "
                    + "\(bounds.upperBound).", at: InputPlace(field: name))
        }
        return value
    }
}

/// What a stream or a page gives of an event.
package enum StreamView: String, CaseIterable, Sendable {
    /// The session's message.
    case message
    /// The data alone, and nothing beside events; a stream that would have to tell that something
    /// is missing ends.
    case data
}
