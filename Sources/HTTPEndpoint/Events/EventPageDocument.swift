internal import EventModel
internal import SessionProtocol

/// A page of a topic's events (doc:HTTP): `{events, gaps, reset, cursor, earliest, latest,
/// caught_up}`.
///
/// Events and gaps are the messages of a session, byte for byte.
struct EventPageDocument {
    let page: EventPage
    /// The offsets that the events were chosen from.
    let seen: ClosedRange<Offset>?
    let start: PageStart

    init(page: EventPage, seen: ClosedRange<Offset>?, start: PageStart) {
        self.page = page
        self.seen = seen
        self.start = start
    }

    /// A page right behind what the client has.
    init(_ page: EventPage, _ seen: ClosedRange<Offset>) {
        self.init(page: page, seen: seen, start: PageStart(after: seen.lowerBound - 1))
    }

    /// The last offset that a client has consumed with this page.
    var last: Offset { seen?.upperBound ?? gaps.last?.to ?? start.after }

    var cursor: Cursor { Cursor(epoch: page.position.epoch, offset: last) }

    var isCaughtUp: Bool { last >= page.position.latest }

    /// Nothing is to be told now, and nothing was left for another page.
    var isEmpty: Bool {
        page.events.isEmpty && isCaughtUp && start.reset == nil && gaps.isEmpty
    }

    /// The cursor that was sent is not valid any more.
    var reset: BrokerMessage.Reset? {
        start.reset.map { reset in
            .init(
                topic: page.position.topic,
                cursor: Cursor(epoch: page.position.epoch, offset: reset.fork),
                reason: reset.reason)
        }
    }

    /// What is missing between the start and the first event that is kept; the purged part first.
    var gaps: [BrokerMessage.Gap] {
        guard start.tellsGap else { return [] }
        let position = page.position
        let first = seen?.lowerBound ?? min(position.earliest, position.latest + 1)
        let purgedTo = min(page.purgedBelow, first) - 1
        var gaps: [BrokerMessage.Gap] = []
        var from = start.after + 1
        if purgedTo >= from {
            gaps.append(gap(from, purgedTo, .purged))
            from = purgedTo + 1
        }
        if first > from {
            gaps.append(gap(from, first - 1, position.isEphemeral ? .ephemeral : .retention))
        }
        return gaps
    }

    private func gap(_ from: Offset, _ to: Offset, _ reason: GapReason) -> BrokerMessage.Gap {
        let position = page.position
        return .init(
            topic: position.topic, epoch: position.epoch, from: from, to: to, reason: reason)
    }

    func encode() -> [UInt8] {
        let position = page.position
        var json = JSONWriter(
            capacity: page.events.reduce(256) { $0 + 200 + $1.content.byteCount })
        json.raw(#"{"events":["#)
        for (index, event) in page.events.enumerated() {
            if index > 0 { json.raw(",") }
            json.raw(
                EventMessage.encode(topic: position.topic, epoch: position.epoch, event: event))
        }
        json.raw(#"],"gaps":["#)
        for (index, gap) in gaps.enumerated() {
            if index > 0 { json.raw(",") }
            json.raw(BrokerMessage.gap(gap).encode())
        }
        json.raw(#"],"reset":"#)
        if let reset, let cursor = reset.cursor {
            json.raw(#"{"cursor":"#)
            json.string("\(cursor)")
            json.raw(#","reason":"#)
            json.string(reset.reason)
            json.raw("}")
        } else {
            json.raw("null")
        }
        json.raw(#","cursor":"#)
        json.string(cursor.description)
        json.raw(#","earliest":"#)
        json.integer(position.earliest)
        json.raw(#","latest":"#)
        json.integer(position.latest)
        json.raw(#","caught_up":"#)
        json.boolean(isCaughtUp)
        json.raw("}")
        return json.bytes
    }
}
