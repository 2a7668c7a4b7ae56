import EventModel

/// Cursors that a session sent ahead of its subscribes: more than one message holds (doc:Session).
///
/// A subscription must not stand without cursors that were refused: its topics would begin
/// elsewhere, and nobody would tell of what lies between. So the id of a refused message is
/// remembered, and whatever follows under it is refused, up to and with its subscribe.
struct CursorsAhead: Sendable {
    private var entries: [Int64: Entry] = [:]
    private var count = 0
    private var byteCount = 0

    private struct Entry: Sendable {
        var cursors: [TopicName: Cursor] = [:]
        var byteCount = 0
        var isRefused = false
    }

    /// What one cursor takes beside its topic's name: the longest epoch and an offset.
    private static let cursorBytes = 16 + MemoryLayout<Offset>.size

    /// The ids whose subscribe is still to come.
    var idCount: Int { entries.count }

    func has(_ id: Int64) -> Bool { entries[id] != nil }

    /// Keeps cursors for the subscribe of this id; of two for one topic the later one counts.
    ///
    /// - Throws: `subscription_limit`; `invalid_request` if others of this id were refused. The
    ///   caller then has to `refuse` it.
    mutating func add(
        _ cursors: [TopicName: Cursor], for id: Int64, limits: Limits
    ) throws(BrokerError) {
        var entry = entries.removeValue(forKey: id) ?? Entry()
        defer { entries[id] = entry }
        guard !entry.isRefused else { throw Self.incomplete(id) }
        for (topic, cursor) in cursors
        where entry.cursors.updateValue(cursor, forKey: topic) == nil {
            let bytes = topic.text.utf8.count + Self.cursorBytes
            entry.byteCount += bytes
            byteCount += bytes
            count += 1
            guard count <= limits.cursorsAheadMax, byteCount <= limits.cursorsAheadBytesMax else {
                throw BrokerError(
                    .subscriptionLimit,
                    "Over \(limits.cursorsAheadMax) cursors or \(limits.cursorsAheadBytesMax) "
                        + "bytes of them came ahead of subscribes.",
                    remedy: "Subscribe to fewer topics, or raise limits.cursors_ahead and restart.")
            }
        }
    }

    /// A message of this id was refused; so will be what follows under it.
    mutating func refuse(_ id: Int64) {
        forget(id)
        entries[id] = Entry(isRefused: true)
    }

    /// Gives what was kept for the subscribe of this id, and forgets it.
    ///
    /// - Throws: `invalid_request` if cursors of this id were refused.
    mutating func take(_ id: Int64) throws(BrokerError) -> [TopicName: Cursor] {
        guard let entry = forget(id) else { return [:] }
        guard !entry.isRefused else { throw Self.incomplete(id) }
        return entry.cursors
    }

    @discardableResult
    private mutating func forget(_ id: Int64) -> Entry? {
        guard let entry = entries.removeValue(forKey: id) else { return nil }
        count -= entry.cursors.count
        byteCount -= entry.byteCount
        return entry
    }

    private static func incomplete(_ id: Int64) -> BrokerError {
        BrokerError(
            .invalidRequest, "Cursors of \(id) were refused, so it would begin elsewhere.",
            remedy: "Unsubscribe \(id), then send all of its cursors again.",
            at: InputPlace(field: "id"))
    }
}
