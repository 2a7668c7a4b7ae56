package import EventModel

/// The query of the single-topic stream (doc:HTTP).
package struct StreamQuery: Hashable, Sendable {
    package var from: StartPosition
    package var overflow: OverflowPolicy?

    package init(from: StartPosition = .latest, overflow: OverflowPolicy? = nil) {
        self.from = from
        self.overflow = overflow
    }

    /// - Parameter items: Names and values, decoded.
    /// - Throws: `unknown_field` for unknown and repeated items, `invalid_start`,
    ///   `invalid_request`. Values of unknown items are never told: they may be secrets.
    package init(items: [(name: String, value: String)]) throws(BrokerError) {
        self.init()
        var seen: Set<String> = []
        for (name, value) in items {
            let place = InputPlace(field: name)
            guard seen.insert(name).inserted else {
                throw BrokerError(
                    .unknownField, "\(quoted(name)) is there twice.",
                    remedy: "Send each item once.",
                    at: place)
            }
            switch name {
            case "from":
                do throws(BrokerError) { from = try StartPosition(value) } catch {
                    var error = error
                    error.at = place
                    throw error
                }
            case "overflow":
                guard let policy = OverflowPolicy(rawValue: value) else {
                    throw BrokerError(
                        .invalidRequest,
                        "'overflow' must be replay, conflate, drop_oldest or disconnect.", at: place
                    )
                }
                try OfferedFeatures.check(policy)
                overflow = policy
            case "credit", "filter", "view": throw OfferedFeatures.missing(name)
            default:
                throw BrokerError(
                    .unknownField, "There is no query item \(quoted(name)) here.",
                    remedy: "A stream knows 'from' and 'overflow'.", at: place)
            }
        }
    }
}
