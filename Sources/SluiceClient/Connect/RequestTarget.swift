internal import EventModel

/// What stands in a request's line; made of checked names and escaped texts only, so that no text of
/// a caller's reaches it as it is.
///
/// A topic's name holds nothing that a path or a query would have to escape (RFC 3986 2.3).
struct RequestTarget: Sendable {
    let text: String

    private init(_ text: String) { self.text = text }

    /// `/v1/events`.
    static let events = RequestTarget("/v1/events")
    /// `/v1/connect`, with `?batch=1` for arrays of messages.
    static func connect(isBatched: Bool) -> RequestTarget {
        RequestTarget(isBatched ? "/v1/connect?batch=1" : "/v1/connect")
    }

    /// `/v1/topics/{topic}/events`.
    static func events(of topic: TopicName) -> RequestTarget {
        RequestTarget("/v1/topics/\(topic)/events")
    }

    /// `/v1/topics/{topic}/events?before=…`.
    static func events(of topic: TopicName, before offset: Int64) -> RequestTarget {
        RequestTarget("/v1/topics/\(topic)/events?before=\(offset)")
    }

    /// `/v1/topics/{topic}/events?from=…&limit=…&filter=…`; a start position needs no escapes
    /// either.
    static func events(
        of topic: TopicName, from start: StartPosition, limit: Int, filter: String?
    ) -> RequestTarget {
        let chosen = filter.map { "&filter=\(percentEncoded($0))" } ?? ""
        return RequestTarget(
            "/v1/topics/\(topic)/events?from=\(start.text)&limit=\(limit)\(chosen)")
    }

    /// `/v1/topics/{topic}`.
    static func topic(_ topic: TopicName) -> RequestTarget { RequestTarget("/v1/topics/\(topic)") }

    /// `/v1/topics?match=…&after=…`.
    static func topics(matching pattern: TopicPattern, after topic: TopicName?) -> RequestTarget {
        let match = pattern.text.replacing(">", with: "%3E")
        return RequestTarget("/v1/topics?match=\(match)\(topic.map { "&after=\($0)" } ?? "")")
    }
}
