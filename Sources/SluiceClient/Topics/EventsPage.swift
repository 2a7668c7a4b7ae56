/// A page of a topic's events.
public struct EventsPage: Sendable {
    /// Offsets that will not come.
    public struct Gap: Equatable, Sendable {
        /// The first one that is missing.
        public var from: Int64
        /// The last one.
        public var to: Int64
        /// Why, like `retention`.
        public var reason: String
    }

    /// The events as the broker's messages, JSON objects.
    public var messages: [[UInt8]]
    /// What is missing before the first event that is kept.
    public var gaps: [Gap]
    /// Why the cursor that the page was asked for is not valid any more, like `recreated`.
    public var resetReason: String?
    /// Where a reader stands that has consumed the page.
    public var cursor: String
    /// Offset of the oldest event that is kept.
    public var earliest: Int64
    /// Offset of the newest event.
    public var latest: Int64
    /// Whether the page reaches the newest event.
    public var isCaughtUp: Bool

    package init?(_ body: [UInt8]) {
        guard let fields = try? JSONFields(body), let cursor = fields.text("cursor") else {
            return nil
        }
        messages = fields.rawElements("events")
        gaps = fields.objects("gaps").map { gap in
            Gap(
                from: gap.integer("from") ?? 0, to: gap.integer("to") ?? 0,
                reason: gap.text("reason") ?? "")
        }
        resetReason = fields.object("reset")?.text("reason")
        self.cursor = cursor
        earliest = fields.integer("earliest") ?? 1
        latest = fields.integer("latest") ?? 0
        isCaughtUp = fields.flag("caught_up") ?? true
    }
}
