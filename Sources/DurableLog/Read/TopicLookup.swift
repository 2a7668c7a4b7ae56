internal import EventModel
internal import PostgresBridge

/// Finds ids for reads: in the catalog as it is known, or else in the database.
enum TopicLookup {
    static func ids(
        of names: [TopicName], in incarnation: String, _ context: LogContext,
        on connection: PostgresConnection
    ) throws(PostgresError) -> [TopicName: CatalogEntry] {
        var found: [TopicName: CatalogEntry] = [:]
        var missing: [TopicName] = []
        for name in names {
            if let entry = context.catalog.entry(of: name, in: incarnation) {
                found[name] = entry
            } else {
                missing.append(name)
            }
        }
        guard !missing.isEmpty else { return found }
        let result = try connection.query(
            CatalogReading.byName, CatalogReading.parameters(missing, in: incarnation),
            timeout: LogContext.controlTimeout)
        let entries = CatalogReading.entries(in: result)
        context.catalog.learn(entries, in: incarnation)
        return found.merging(entries) { $1 }
    }

    static func notFound(_ name: TopicName) -> BrokerError {
        BrokerError(.topicNotFound, "There is no topic \(quoted(name.text)).")
    }
}
