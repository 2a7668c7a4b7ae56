internal import EventModel
internal import NIOHTTP1

/// Where a request goes, as far as that is decided before the router.
enum Destination: Equatable {
    /// `POST /v1/topics/{topic}/events`; the text is not decoded.
    case publish(topic: Substring)
    /// `POST /v1/events`.
    case publishMany
    /// A GET with `Upgrade: websocket` of `/v1/connect`.
    case connect
    /// The same of `/v1/topics/{topic}/events`.
    case stream(topic: Substring)
    /// Needs no token: health and the catalogue of errors.
    case open
    /// Everything else.
    case router

    init(_ head: HTTPRequestHead) {
        switch head.method {
        case .POST:
            // With a query the router's route refuses it in words; it calls the same function otherwise.
            if head.uri == "/v1/events" {
                self = .publishMany
            } else if let topic = Self.eventsTopic(head.uri[...]) {
                self = .publish(topic: topic)
            } else {
                self = Self.unhurried(head)
            }
        case .GET where Self.asksForWebSocket(head.headers):
            let path = RequestTarget(head.uri).path
            if path == "/v1/connect" {
                self = .connect
            } else if let topic = Self.eventsTopic(path) {
                self = .stream(topic: topic)
            } else {
                self = Self.unhurried(head)
            }
        default: self = Self.unhurried(head)
        }
    }

    /// A refusal as this destination words it: publishes are told that nothing is in the log.
    func worded(_ refusal: BrokerError) -> BrokerError {
        var refusal = refusal
        switch self {
        case .publish, .publishMany: refusal.committed = .no
        case .connect, .stream, .open, .router: break
        }
        return refusal
    }

    /// The topic in `/v1/topics/{topic}/events`.
    private static func eventsTopic(_ path: Substring) -> Substring? {
        let (front, back) = ("/v1/topics/", "/events")
        guard path.utf8.count > front.utf8.count + back.utf8.count, path.hasPrefix(front),
            path.hasSuffix(back)
        else { return nil }
        let topic = path.utf8.dropFirst(front.utf8.count).dropLast(back.utf8.count)
        let isOneSegment = !topic.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
        return isOneSegment ? Substring(topic) : nil
    }

    /// Other protocols in Upgrade, such as curl's `h2c`, may be ignored (RFC 9110 7.8).
    private static func asksForWebSocket(_ headers: HTTPHeaders) -> Bool {
        headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
    }

    private static func unhurried(_ head: HTTPRequestHead) -> Destination {
        let path = RequestTarget(head.uri).path
        let isOpen =
            path == "/healthz" || path == "/readyz" || path == "/v1/errors"
            || path.hasPrefix("/v1/errors/")
        return isOpen ? .open : .router
    }
}

/// A topic as it stands in a path.
///
/// - Throws: `invalid_topic`.
func topicName(inPath text: Substring) throws(BrokerError) -> TopicName {
    guard let name = percentDecoded(text) else {
        throw BrokerError(
            .invalidTopic, "In the path, \(quoted(text)) is not percent-encoded UTF-8.")
    }
    return try TopicName(name)
}
