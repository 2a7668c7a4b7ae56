import EventModel

/// One topic of the log in memory: its events, keys and settings.
struct MemoryTopic {
    struct Known {
        var digest: [UInt8]
        var first: Offset
        var last: Offset
        var time: Timestamp
    }

    let id: Int32
    let created: Timestamp
    var settings: TopicSettings
    var revision = 1
    /// Offset of the first event that is kept.
    var earliest: Offset = 1
    var purgedBelow: Offset = 1
    var latest: Offset = 0
    var events: [Event] = []
    var keys: [String: Known] = [:]
    /// By the number of an incarnation: the last offset when it began.
    var forks: [Int: Offset] = [:]

    /// Appends a part, or says why not.
    ///
    /// Times never fall within a topic.
    mutating func append(
        _ part: AppendRequest.Part, epoch: Epoch, at now: Timestamp, checksHead: Bool
    ) throws(BrokerError) -> (receipt: AppendReceipt, events: [Event]) {
        if settings.isDurable, let key = part.idempotency, let known = keys[key.text] {
            guard known.digest == key.digest else { throw Self.conflict(part) }
            let receipt = AppendReceipt(
                topic: part.topic, epoch: epoch, first: known.first, last: known.last,
                time: known.time, isRepeat: true)
            return (receipt, [])
        }
        if checksHead, let expected = part.expectedHead, expected != latest {
            throw headMoved(part, epoch, expected)
        }
        if let most = settings.eventBytesMax, part.events.contains(where: { $0.byteCount > most }) {
            throw BrokerError(.eventTooLarge, "An event has over \(most) bytes.")
        }
        let time = max(now, events.last?.time ?? now)
        let first = latest + 1
        var appended: [Event] = []
        for content in part.events {
            latest += 1
            appended.append(Event(offset: latest, time: time, content: content))
        }
        if settings.isDurable { events += appended } else { earliest = latest + 1 }
        if let key = part.idempotency {
            keys[key.text] = Known(digest: key.digest, first: first, last: latest, time: time)
        }
        let receipt = AppendReceipt(
            topic: part.topic, epoch: epoch, first: first, last: latest, time: time,
            isRepeat: false)
        return (receipt, appended)
    }

    /// Events below the offset are not kept any more.
    mutating func drop(below offset: Offset) {
        earliest = max(earliest, min(offset, latest + 1))
        events.removeAll { $0.offset < earliest }
    }

    /// What was appended above the offset is lost.
    mutating func truncate(to offset: Offset) {
        latest = min(latest, offset)
        events.removeAll { $0.offset > latest }
        earliest = min(earliest, latest + 1)
        keys = keys.filter { $0.value.last <= latest }
    }

    func position(of name: TopicName, in incarnation: String) -> TopicPosition {
        TopicPosition(
            topic: name, epoch: Epoch(incarnation: incarnation, topicID: id), earliest: earliest,
            latest: latest, isEphemeral: !settings.isDurable)
    }

    func page(after: Offset, events count: Int, bytes: Int) -> [Event] {
        var page: [Event] = []
        var size = 0
        for event in events where event.offset > after && page.count < count {
            size += event.content.byteCount
            // One event always fits.
            if size > bytes, !page.isEmpty { break }
            page.append(event)
        }
        return page
    }

    private static func conflict(_ part: AppendRequest.Part) -> BrokerError {
        BrokerError(
            .idempotencyConflict, "A key of topic \(part.topic) was used with another body.")
    }

    func headMoved(
        _ part: AppendRequest.Part, _ epoch: Epoch, _ expected: Offset
    ) -> BrokerError {
        var error = BrokerError(
            .headMoved, "The head of topic \(part.topic) is \(latest), not \(expected).")
        error.head = Cursor(epoch: epoch, offset: latest)
        return error
    }
}
