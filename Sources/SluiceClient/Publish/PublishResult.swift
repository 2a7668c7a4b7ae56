/// Where an event was appended: it is committed.
public struct PublishResult: Equatable, Sendable {
    /// The topic it was published to.
    public var topic: String
    /// Its position in the topic; of several events, the last one's.
    public var offset: Int64
    /// Where a subscriber stands that has consumed it.
    public var cursor: String
    /// When it was appended, RFC 3339.
    public var time: String
    /// Whether an earlier request with the same key or event id appended it.
    public var isRepeat: Bool
    /// The broker's answer as JSON.
    public var json: [UInt8]

    init?(_ fields: JSONFields, json: [UInt8]) {
        guard let topic = fields.text("topic"),
            let offset = fields.integer("offset") ?? fields.integer("last_offset"),
            let cursor = fields.text("cursor")
        else { return nil }
        self.topic = topic
        self.offset = offset
        self.cursor = cursor
        time = fields.text("time") ?? ""
        isRepeat = fields.flag("repeated") ?? false
        self.json = json
    }
}
