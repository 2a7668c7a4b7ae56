/// What holds for every broker and every SQL publisher of a database (doc:Log, "Server defaults").
package struct ServerSettings: Hashable, Sendable {
    /// What a topic has that has no setting of its own.
    package var topics = TopicDefaults()
    /// Whether publishing to a topic that does not exist creates it.
    package var createsTopics = true
    /// How long an idempotency key is kept, at least; at most three times as long.
    package var keyWindow = Duration.seconds(86_400)

    package init() {}
}

/// What somebody says of the server's settings; `nil`: nothing.
package struct ServerSettingsChanges: Hashable, Sendable {
    package var retainAge: Retention<Duration>?
    package var retainCount: Retention<Int64>?
    package var retainBytes: Retention<Int64>?
    package var eventBytesMax: Int?
    package var createsTopics: Bool?
    package var keyWindow: Duration?

    package init() {}

    package func applied(to settings: ServerSettings) -> ServerSettings {
        var settings = settings
        if let retainAge { settings.topics.retainAge = retainAge.limit }
        if let retainCount { settings.topics.retainCount = retainCount.limit }
        if let retainBytes { settings.topics.retainBytes = retainBytes.limit }
        settings.topics.eventBytesMax = eventBytesMax ?? settings.topics.eventBytesMax
        settings.createsTopics = createsTopics ?? settings.createsTopics
        settings.keyWindow = keyWindow ?? settings.keyWindow
        return settings
    }
}

extension Retention {
    /// `nil` without one.
    fileprivate var limit: Value? { if case .limited(let most) = self { most } else { nil } }
}
