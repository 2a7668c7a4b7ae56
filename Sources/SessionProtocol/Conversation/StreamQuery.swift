package import EventModel
package import Filtering

/// The query of the single-topic stream, and of following over HTTP (doc:HTTP).
package struct StreamQuery: Hashable, Sendable {
    package var from: StartPosition
    package var options: SubscriptionOptions
    package var filter: EventFilter?

    package init(
        from: StartPosition = .latest, options: SubscriptionOptions = SubscriptionOptions(),
        filter: EventFilter? = nil
    ) {
        self.from = from
        self.options = options
        self.filter = filter
    }

    /// - Parameters:
    ///   - items: Names and values, decoded.
    ///   - terms: How long a filter may be.
    /// - Throws: `unknown_field` for unknown and repeated items, `invalid_start`, `invalid_filter`,
    ///   `invalid_request`. Values of unknown items are never told: they may be secrets.
    package init(
        items: [(name: String, value: String)], terms: SessionTerms
    ) throws(BrokerError) {
        self.init()
        let known = ["from", "overflow", "max_rate", "credit", "filter", "view"]
        try readQuery(items, known: known) { (name, value) throws(BrokerError) in
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
            default:
                throw BrokerError(
                    .invalidRequest, "This version does not offer \(quoted(name)) yet.",
                    remedy: "Leave it out.", at: InputPlace(field: name))
            }
        }
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
