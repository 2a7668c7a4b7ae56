internal import EventModel
internal import Filtering
internal import SessionProtocol

/// What a request for a page of a topic's events asks for (doc:HTTP, "Reading").
struct PageQuestion: Sendable {
    let topic: TopicName
    var from: StartPosition
    /// Events of the page at most.
    let count: Int
    let filter: EventFilter?
    /// How long a page that has nothing to tell waits for something; zero: not at all.
    let wait: Duration
    let view: StreamView
    /// What the query says of these, for a link.
    private let filterText: String?

    /// Events of one page, if the request does not say.
    static let countUsual = 100
    static let waitMax = Duration.seconds(60)

    /// - Throws: `invalid_topic`, `invalid_start`, `invalid_request`, `invalid_filter`.
    init(_ request: RouteRequest, limits: Limits) throws(BrokerError) {
        let query = request.query
        topic = try request.topic()
        from =
            try query["from"].map { text throws(BrokerError) in
                try StartPosition(text, field: "from")
            } ?? .earliest
        count = try query.count(
            "limit", default: min(Self.countUsual, limits.pageEventsMax),
            most: limits.pageEventsMax)
        filterText = query["filter"]
        filter = try filterText.map { text throws(BrokerError) in
            try EventFilter(text, bytesMax: limits.filterBytesMax)
        }
        wait = try query["wait"].map(Self.wait) ?? .zero
        view = try query["view"].map(Self.view) ?? .message
        guard view == .message || request.answerType != .cloudEventBatch else {
            throw BrokerError(
                .invalidRequest, "A CloudEvent is no bare data.",
                remedy: "Leave out 'view', or accept another type.", at: InputPlace(field: "view"))
        }
    }

    private static func wait(_ text: String) throws(BrokerError) -> Duration {
        guard let wait = parseDuration(text), wait <= waitMax else {
            throw BrokerError(
                .invalidRequest,
                "'wait' is \(quoted(text)), not a duration up to \(durationText(waitMax)).",
                remedy: "Send one such as '30s', and ask again when it is over.",
                at: InputPlace(field: "wait"))
        }
        return wait
    }

    private static func view(_ text: String) throws(BrokerError) -> StreamView {
        guard let view = StreamView(rawValue: text) else {
            let known = StreamView.allCases.map { "'\($0.rawValue)'" }.joined(separator: " or ")
            throw BrokerError(
                .invalidRequest, "'view' is \(quoted(text)), not \(known).",
                at: InputPlace(field: "view"))
        }
        return view
    }

    /// The same question behind a cursor, as a link (RFC 8288).
    func link(after cursor: Cursor) -> String {
        var target = "/v1/topics/\(topic)/events?from=after:\(cursor)&limit=\(count)"
        if let filterText { target += "&filter=\(percentEncoded(filterText))" }
        if wait > .zero { target += "&wait=\(durationText(wait))" }
        if view != .message { target += "&view=\(view.rawValue)" }
        return "<\(target)>; rel=\"next\""
    }
}
