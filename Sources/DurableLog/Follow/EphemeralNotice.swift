package import EventModel

/// The NOTIFY that carries an ephemeral event: `incarnation topic offset event`, or without the
/// event when it is too large for one (doc:AppendAndFollow, "Ephemeral topics").
package struct EphemeralNotice: Hashable, Sendable {
    package static let channel = "sluice_ephemeral"

    package var incarnation: String
    package var topicID: Int32
    package var offset: Offset
    /// `nil`: it is to be read from `sluice.ephemera`, for as long as it is there.
    package var event: Event?

    /// Parses one payload; `nil` if it is none that `sluice.emit` makes.
    package init?(payload: String) {
        let words = payload.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
        guard words.count >= 3, let topicID = Int32(words[1]), topicID > 0,
            let offset = Cursor.offset(words[2]), offset > 0
        else { return nil }
        incarnation = String(words[0])
        self.topicID = topicID
        self.offset = offset
        guard words.count == 4 else { return }
        guard let event = Self.event(Array(words[3].utf8), offset: offset) else { return nil }
        self.event = event
    }

    /// An event as `sluice.emit` writes it; `nil` if it is none.
    ///
    /// Any role of the database may notify, so that every text is checked that would go on to
    /// subscribers.
    static func event(_ json: [UInt8], offset: Offset) -> Event? {
        var fields = ObjectReader(json)
        do throws(BrokerError) {
            try fields.read(membersMax: 5)
            guard let text = try fields.string("time"), let time = Timestamp(rfc3339: text),
                let data = fields.text("data")
            else { return nil }
            let attributes = fields.text("attributes")
            if let attributes {
                try EventValidation.attributes(attributes, limits: Limits())
            }
            let content = NewEvent(
                data: data, key: try fields.string("key"), eventID: try fields.string("event_id"),
                attributes: attributes)
            return Event(offset: offset, time: time, content: content)
        } catch {
            return nil
        }
    }
}
