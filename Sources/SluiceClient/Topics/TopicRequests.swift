internal import EventModel
internal import NIOHTTP1

/// Managing topics, and reading them page by page.
extension BrokerClient {
    /// Lists topics by name, a page at a time.
    ///
    /// - Parameters:
    ///   - pattern: Which ones.
    ///   - name: Begin behind this one, `next` of the page before.
    /// - Returns: The page.
    /// - Throws: `SluiceError`.
    public func topics(matching pattern: String = ">", after name: String? = nil) async throws
        -> TopicPage
    {
        let target: RequestTarget
        do {
            target = .topics(
                matching: try TopicPattern(pattern), after: try name.map { try TopicName($0) })
        } catch let error as BrokerError {
            throw SluiceError(error)
        }
        let body = try await caller.call(.GET, target)
        guard let page = TopicPage(body) else {
            throw SluiceError.notSluice(connector.configuration.address, "no list of topics")
        }
        return page
    }

    /// Describes one topic.
    ///
    /// - Parameter name: Its name.
    /// - Returns: Settings and what it holds.
    /// - Throws: `topic_not_found` if there is none.
    public func topic(_ name: String) async throws -> TopicInfo {
        try info(try await caller.call(.GET, .topic(try Self.name(name))))
    }

    /// Creates a topic.
    ///
    /// - Parameters:
    ///   - name: Its name.
    ///   - settings: What is `nil` has the server's default.
    /// - Returns: The topic as it is now.
    /// - Throws: `topic_exists` if there is one of the name.
    public func createTopic(_ name: String, _ settings: TopicOptions = TopicOptions()) async throws
        -> TopicInfo
    {
        let headers = [("Content-Type", "application/json"), ("If-None-Match", "*")]
        return try info(
            try await caller.call(
                .PUT, .topic(try Self.name(name)), headers: headers, body: try settings.body(),
                isRepeatable: false))
    }

    /// Changes settings of a topic.
    ///
    /// - Parameters:
    ///   - name: Its name.
    ///   - settings: What is `nil` stays as it is; `default` is the server's default.
    ///   - revision: Change it only if its settings have this revision.
    /// - Returns: The topic as it is now.
    /// - Throws: `topic_not_found`, and `revision_moved` for another revision.
    public func alterTopic(
        _ name: String, _ settings: TopicOptions, ifRevision revision: Int64? = nil
    ) async throws -> TopicInfo {
        let headers = [("Content-Type", "application/merge-patch+json")] + Self.condition(revision)
        return try info(
            try await caller.call(
                .PATCH, .topic(try Self.name(name)), headers: headers, body: try settings.body(),
                isRepeatable: revision == nil))
    }

    /// Deletes a topic with its events.
    ///
    /// - Parameters:
    ///   - name: Its name.
    ///   - revision: Delete it only if its settings have this revision.
    /// - Returns: The topic as it was.
    /// - Throws: `topic_not_found`, and `revision_moved` for another revision.
    public func deleteTopic(_ name: String, ifRevision revision: Int64? = nil) async throws
        -> TopicInfo
    {
        try info(
            try await caller.call(
                .DELETE, .topic(try Self.name(name)), headers: Self.condition(revision),
                isRepeatable: false))
    }

    /// Purges a topic's events.
    ///
    /// - Parameters:
    ///   - name: Its name.
    ///   - offset: The first offset to keep; beyond the latest one, all events go.
    ///   - revision: Purge it only if its settings have this revision.
    /// - Returns: The topic as it is now, with `purged`.
    /// - Throws: `topic_not_found`, and `revision_moved` for another revision.
    public func purgeTopic(
        _ name: String, before offset: Int64, ifRevision revision: Int64? = nil
    ) async throws -> TopicInfo {
        try info(
            try await caller.call(
                .DELETE, .events(of: try Self.name(name), before: offset),
                headers: Self.condition(revision), isRepeatable: false))
    }

    /// Reads a page of a topic's events.
    ///
    /// - Parameters:
    ///   - name: Its name.
    ///   - start: As in `subscribe`; `after:CURSOR` with the cursor of a page gives the next one.
    ///   - limit: Events of the page, at most 1000 unless the broker is configured otherwise.
    ///   - filter: Which of them are wanted, like `$.price > 100` (doc:Filters); `nil`: all. Then a
    ///     page may have few events or none before the newest one is reached; its cursor is behind
    ///     all that were looked at.
    ///   - patience: How long to try again while the broker is busy or away.
    /// - Returns: The page; it may be empty.
    /// - Throws: `topic_not_found`, and `invalid_filter` with the filter's byte.
    public func events(
        of name: String, from start: String, limit: Int = 1000, filter: String? = nil,
        retryingFor patience: Duration = .zero
    ) async throws -> EventsPage {
        let target: RequestTarget
        do {
            target = .events(
                of: try TopicName(name), from: try StartPosition(start), limit: limit,
                filter: filter)
        } catch {
            throw SluiceError(error)
        }
        let body = try await retrying(for: patience) { try await self.caller.call(.GET, target) }
        guard let page = EventsPage(body) else {
            throw SluiceError.notSluice(connector.configuration.address, "no page of events")
        }
        return page
    }

    private static func condition(_ revision: Int64?) -> [(String, String)] {
        revision.map { [("If-Match", "\"\($0)\"")] } ?? []
    }

    private func info(_ body: [UInt8]) throws(SluiceError) -> TopicInfo {
        guard let info = TopicInfo(body) else {
            throw .notSluice(connector.configuration.address, "no description of a topic")
        }
        return info
    }
}
