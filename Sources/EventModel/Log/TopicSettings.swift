/// What can be set for a topic.
package struct TopicSettings: Hashable, Sendable {
    /// Whether there is a log of its events; fixed when the topic is created.
    package var isDurable = true
    package var retainAge: Retention<Duration> = .default
    package var retainCount: Retention<Int64> = .default
    package var retainBytes: Retention<Int64> = .default
    /// The most bytes of one event; `nil` for the server's default.
    package var eventBytesMax: Int?
    /// What a subscription does that names no policy itself; `nil` for the server's default.
    package var overflow: OverflowPolicy?
    package var description = ""

    package init() {}

    /// Whether a limit of what is kept is set for this topic.
    package var isRetentionLimited: Bool {
        switch (retainAge, retainCount, retainBytes) {
        case (.limited, _, _), (_, .limited, _), (_, _, .limited): true
        default: false
        }
    }
}

/// A bound of retention: the server's default, none for this topic, or a value.
package enum Retention<Value: Hashable & Sendable>: Hashable, Sendable {
    case `default`
    case unlimited
    case limited(Value)

    /// What holds with a server's default, where `nil` is unlimited.
    package func effective(_ serverDefault: Value?) -> Retention {
        if case .default = self { serverDefault.map { .limited($0) } ?? .unlimited } else { self }
    }
}

/// What happens to a subscription that reads too slowly (doc:Subscriptions).
package enum OverflowPolicy: String, CaseIterable, Sendable {
    case replay
    case conflate
    case dropOldest = "drop_oldest"
    case disconnect
}

/// Which settings of a topic become what; `nil`: as they are.
package struct TopicChanges: Hashable, Sendable {
    /// Of a topic that exists it can only be what it is.
    package var isDurable: Bool?
    package var retainAge: Retention<Duration>?
    package var retainCount: Retention<Int64>?
    package var retainBytes: Retention<Int64>?
    /// `.some(nil)`: The server's default.
    package var eventBytesMax: Int??
    /// `.some(nil)`: The server's default.
    package var overflow: OverflowPolicy??
    package var description: String?

    /// Nothing changes.
    package init() {}

    /// All of them become those of `settings`.
    package init(_ settings: TopicSettings) {
        isDurable = settings.isDurable
        retainAge = settings.retainAge
        retainCount = settings.retainCount
        retainBytes = settings.retainBytes
        eventBytesMax = .some(settings.eventBytesMax)
        overflow = .some(settings.overflow)
        description = settings.description
    }

    package func applied(to settings: TopicSettings) -> TopicSettings {
        var settings = settings
        settings.isDurable = isDurable ?? settings.isDurable
        settings.retainAge = retainAge ?? settings.retainAge
        settings.retainCount = retainCount ?? settings.retainCount
        settings.retainBytes = retainBytes ?? settings.retainBytes
        if let eventBytesMax { settings.eventBytesMax = eventBytesMax }
        if let overflow { settings.overflow = overflow }
        settings.description = description ?? settings.description
        return settings
    }
}

/// The server's defaults, which hold where a topic has no setting of its own (doc:Log).
package struct TopicDefaults: Hashable, Sendable {
    /// `nil`: unlimited.
    package var retainAge: Duration?
    package var retainCount: Int64?
    package var retainBytes: Int64?
    package var eventBytesMax = Limits().eventBytesMax

    package init() {}
}

/// A topic as it is described to users.
package struct TopicDescription: Sendable {
    package var position: TopicPosition
    package var settings: TopicSettings
    /// What holds where `settings` says `default`.
    package var defaults: TopicDefaults
    /// Counts changes of the settings.
    package var revision: Int
    /// Bytes of the events still kept.
    package var bytes: Int64
    package var created: Timestamp

    package init(
        position: TopicPosition, settings: TopicSettings, defaults: TopicDefaults = TopicDefaults(),
        revision: Int, bytes: Int64, created: Timestamp
    ) {
        self.position = position
        self.settings = settings
        self.defaults = defaults
        self.revision = revision
        self.bytes = bytes
        self.created = created
    }

    /// What changes make of the settings.
    ///
    /// - Throws: `topic_exists` when they would give the topic a log, or take its log away;
    ///   `invalid_request` for limits of what an ephemeral topic keeps.
    package func settings(after changes: TopicChanges) throws(BrokerError) -> TopicSettings {
        let changed = changes.applied(to: settings)
        guard changed.isDurable == settings.isDurable else {
            let kind = settings.isDurable ? "durable" : "ephemeral"
            throw BrokerError(
                .topicExists, "\(position.topic) is \(kind), which can't change.",
                remedy: "Use the topic as it is, or delete it before.")
        }
        guard changed.isDurable || !changed.isRetentionLimited else {
            throw BrokerError(
                .invalidRequest, "\(position.topic) is ephemeral and keeps nothing.",
                remedy: "Leave the limits of retention out.", at: InputPlace(field: "retain"))
        }
        return changed
    }

    /// - Throws: `revision_moved` when the settings have another revision than the one expected.
    package func requireRevision(_ expected: Int?) throws(BrokerError) {
        guard let expected, expected != revision else { return }
        throw BrokerError(
            .revisionMoved,
            "The settings of \(position.topic) have revision \(revision), not \(expected).")
    }
}

/// What a purge came to.
package struct TopicPurge: Sendable {
    /// The topic as it is now.
    package var topic: TopicDescription
    /// Events that were taken away.
    package var events: Int64

    package init(topic: TopicDescription, events: Int64) {
        self.topic = topic
        self.events = events
    }
}
