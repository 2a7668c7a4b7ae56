internal import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import SessionProtocol
internal import Transport

/// A page of a topic's events in the form that was asked for (doc:HTTP, "Reading").
struct EventPageAnswer {
    let page: EventPageDocument
    let question: PageQuestion
    let type: MediaType
    /// The node's clock.
    let now: Timestamp

    /// The page, or what bare data can't tell.
    func answer(_ problems: Problems, head: HTTPRequestHead) -> HTTPAnswer {
        if question.view == .data, let refusal = untold {
            return problems.answer(
                to: refusal.error, head: head, headers: headers(after: refusal.cursor),
                members: [(#","cursor":"#, Array("\"\(refusal.cursor)\"".utf8))])
        }
        guard type != .json || question.view == .data else {
            return .json(.ok, page.encode(), headers: ["link": question.link(after: page.cursor)])
        }
        var headers = headers(after: page.cursor)
        if type == .cloudEventBatch { return page.cloudEvents(now: now, headers: headers) }
        headers.add(name: "content-type", value: type.rawValue)
        let body = type == .ndjson ? lines : array
        return HTTPAnswer(status: .ok, headers: headers, body: ByteBuffer(bytes: body))
    }

    /// Where a body that holds only messages or data goes on.
    private func headers(after cursor: Cursor) -> HTTPHeaders {
        [
            "link": question.link(after: cursor), "sluice-cursor": "\(cursor)",
            "sluice-caught-up": "\(cursor.offset >= page.page.position.latest)",
        ]
    }

    private var untold: (error: BrokerError, cursor: Cursor)? {
        guard let cursor = page.gaps.last?.cursor ?? page.reset?.cursor else { return nil }
        let what =
            page.reset.map { "The cursor is not valid any more (\($0.reason))" }
            ?? "Events up to offset \(cursor.offset) are not kept"
        let error = BrokerError(
            .offsetExpired, "\(what), which bare data can not tell.",
            remedy: "Go on behind 'cursor', or read without 'view=data' to be told more.")
        return (error, cursor)
    }

    private var array: [UInt8] {
        let data = page.page.events.map(\.content.data)
        return Array("[".utf8) + Array(data.joined(separator: ",".utf8)) + Array("]".utf8)
    }

    private var lines: [UInt8] {
        let (topic, epoch) = (page.page.position.topic, page.page.position.epoch)
        var lines: [[UInt8]] = []
        switch question.view {
        case .data: lines = page.page.events.map(\.content.data)
        case .message:
            if let reset = page.reset { lines.append(BrokerMessage.reset(reset).encode()) }
            lines += page.gaps.map { BrokerMessage.gap($0).encode() }
            lines += page.page.events.map {
                EventMessage.encode(topic: topic, epoch: epoch, event: $0)
            }
        }
        return lines.flatMap(jsonLine)
    }
}
