package import EventModel

/// The query of the session (doc:Session).
package struct SessionQuery: Hashable, Sendable {
    /// A text may be an array of messages, both ways.
    package var isBatched = false

    package init() {}

    /// - Parameter items: Names and values, decoded.
    /// - Throws: `unknown_field` for unknown and repeated items, `invalid_request`. Values of
    ///   unknown items are never told: they may be secrets.
    package init(items: [(name: String, value: String)]) throws(BrokerError) {
        try readQuery(items, known: ["batch"]) { (name, value) throws(BrokerError) in
            guard value == "1" else {
                throw BrokerError(
                    .invalidRequest, "'batch' must be 1.", remedy: "Send batch=1, or leave it out.",
                    at: InputPlace(field: name))
            }
            isBatched = true
        }
    }
}
