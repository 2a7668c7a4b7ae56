/// A topic as the broker describes it.
public struct TopicInfo: Equatable, Sendable {
    /// The topic's name.
    public var name: String
    /// Whether its events are in the log.
    public var isDurable: Bool
    /// How long, how many and how many bytes of events are kept: `nil` for the server's default, or
    /// `unlimited`.
    public var retainAge: String?
    /// The same, counted in events.
    public var retainCount: String?
    /// The same, in bytes.
    public var retainBytes: String?
    /// The most bytes of one event; `nil` for the server's default.
    public var eventBytes: Int64?
    /// What a subscription does that reads too slowly; `nil` for the server's default.
    public var overflow: String?
    /// What holds for the topic: its own settings, else the server's defaults.
    public var effective: Effective
    /// What it is for.
    public var description: String
    /// Offset of the oldest event that is kept.
    public var earliest: Int64
    /// Offset of the newest event; 0 before the first.
    public var latest: Int64
    /// Bytes of the events that are kept.
    public var bytes: Int64
    /// When it was created, RFC 3339.
    public var created: String
    /// Counts changes of the settings.
    public var revision: Int64
    /// Events that a purge took away; `nil` in other answers.
    public var purged: Int64?
    /// The broker's answer as JSON.
    public var json: [UInt8]

    /// Events that are kept.
    public var eventCount: Int64 { max(0, latest - earliest + 1) }

    /// Bounds that hold, like `7d` or `unlimited`; `nil` if the broker does not tell.
    public struct Effective: Equatable, Sendable {
        /// How long events are kept.
        public var retainAge: String?
        /// How many events are kept.
        public var retainCount: String?
        /// How many bytes of events are kept.
        public var retainBytes: String?
        /// The most bytes of one event.
        public var eventBytes: Int64?
    }

    package init?(_ json: [UInt8]) {
        guard let fields = try? JSONFields(json), let name = fields.text("topic") else {
            return nil
        }
        self.name = name
        let retain = fields.object("retain")
        isDurable = fields.flag("durable") ?? true
        retainAge = retain?.textOrNumber("age")
        retainCount = retain?.textOrNumber("count")
        retainBytes = retain?.textOrNumber("bytes")
        eventBytes = fields.integer("event_bytes")
        overflow = fields.text("overflow")
        let effective = fields.object("effective")
        let kept = effective?.object("retain")
        self.effective = Effective(
            retainAge: kept?.textOrNumber("age"), retainCount: kept?.textOrNumber("count"),
            retainBytes: kept?.textOrNumber("bytes"), eventBytes: effective?.integer("event_bytes"))
        description = fields.text("description") ?? ""
        earliest = fields.integer("earliest") ?? 1
        latest = fields.integer("latest") ?? 0
        bytes = fields.integer("bytes") ?? 0
        created = fields.text("created") ?? ""
        revision = fields.integer("revision") ?? 0
        purged = fields.integer("purged")
        self.json = json
    }
}

/// A page of a list of topics.
public struct TopicPage: Sendable {
    /// By name.
    public var topics: [TopicInfo]
    /// The name after which the next page begins; `nil` on the last one.
    public var next: String?

    init?(_ body: [UInt8]) {
        guard let fields = try? JSONFields(body) else { return nil }
        topics = fields.rawElements("topics").compactMap(TopicInfo.init)
        next = fields.text("next")
    }
}
