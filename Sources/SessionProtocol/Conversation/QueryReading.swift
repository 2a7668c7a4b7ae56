import EventModel

/// Calls `take` with each item of a query in turn; those in `repeated` may be there several times.
///
/// - Throws: `unknown_field` for unknown and other repeated items; what `take` throws.
func readQuery(
    _ items: [(name: String, value: String)], known: [String], repeated: Set<String> = [],
    _ take: (_ name: String, _ value: String) throws(BrokerError) -> Void
) throws(BrokerError) {
    var seen: Set<String> = []
    for (name, value) in items {
        guard known.contains(name) else {
            throw BrokerError(
                .unknownField, "There is no query item \(quoted(name)) here.",
                remedy: "Known are: \(known.joined(separator: ", ")).", at: InputPlace(field: name))
        }
        guard seen.insert(name).inserted || repeated.contains(name) else {
            throw BrokerError(
                .unknownField, "\(quoted(name)) is there twice.", remedy: "Send each item once.",
                at: InputPlace(field: name))
        }
        try take(name, value)
    }
}
