internal import AccessControl
internal import EventModel
internal import NIOHTTP1
internal import Transport

/// One method of one path: all that routing, its refusals and a description of the interface need.
struct Route: Sendable {
    typealias Handler = @Sendable (RouteRequest) async throws -> HTTPAnswer

    let method: HTTPMethod
    /// From the root on; `{name}` stands for one segment: `/v1/topics/{topic}/events`.
    let path: String
    /// One sentence for whoever reads a description of the interface.
    let summary: String
    var access = Access.bearer
    /// The members of the query that mean something; others are refused.
    var query: RouteQuery = []
    /// Header fields that mean something here; for a description.
    var headers: [RouteParameter] = []
    /// Media types of the body; empty: no body is looked at.
    var bodies: [MediaType] = []
    /// What a body holds; for a description.
    var bodySchemas: [MediaType: JSONTree] = [:]
    /// Bytes of the body.
    var bodyBytesMax = Self.smallBodyBytesMax
    /// Media types among which the client's Accept chooses; empty: JSON, whatever is accepted.
    var answers: [MediaType] = []
    /// What becomes of a request that asks for a WebSocket; `nil`: its Upgrade is ignored
    /// (RFC 9110 7.8).
    var webSocket: WebSocket?
    /// The members of the query of such a request; for a description.
    var webSocketQuery: RouteQuery = []
    /// A request with `follow` in its query is answered with the stream of the topic in the path.
    var isFollowed = false
    /// What it is answered with when all is well; for a description.
    var results = [RouteResult()]
    /// Codes of refusals that are not implied by the rest; for a description.
    var errors: [ErrorCode] = []
    var action: Action

    /// Settings and other small documents.
    static let smallBodyBytesMax = 64 << 10

    enum Access: Sendable {
        /// Health and the catalogue of errors, also while the node drains.
        case everybody
        /// Whoever has a token; what else it needs is asked where it is used: by `Publishing`, and
        /// at the start of a subscription.
        case bearer
        /// Whoever may read the topic in the path.
        case reader
        /// Whoever may read the topic in the path, or manage topics.
        case viewer
        /// Whoever may manage the topic in the path.
        case manager
    }

    enum WebSocket: Sendable {
        case session
        /// Of the topic in the path.
        case stream
    }

    enum Action: Sendable {
        /// In place on the event loop, without a task; to the topic in the path.
        case publish
        /// The same, to the topics in the body.
        case publishMany
        /// The stream of the topics in the query.
        case follow
        case answer(Handler)
    }

    /// Whether refusals say that nothing was appended.
    var isPublish: Bool {
        switch action {
        case .publish, .publishMany: true
        case .follow, .answer: false
        }
    }

    /// Whether the answer to such a request is a stream over HTTP.
    func isStream(for head: HTTPRequestHead) -> Bool {
        switch action {
        case .follow: true
        case .publish, .publishMany, .answer: isFollowed && FollowEndpoint.isAsked(by: head)
        }
    }
}

/// A request that has found its route.
struct RouteRequest: Sendable {
    let incoming: IncomingRequest
    /// What stands for the parameters of the path, in their order; not decoded.
    let parameters: [Substring]
    let query: Query
    /// What the client takes best of the route's answers.
    let answerType: MediaType

    var headers: HTTPHeaders { incoming.head.headers }

    /// Checks what the route says of the query, the body's and the answer's media type, and of the
    /// sender's rights.
    ///
    /// - Throws: `unknown_field`, `invalid_request`, `unsupported_media_type`, `not_acceptable`,
    ///   `invalid_topic`, `forbidden`.
    init(
        _ incoming: IncomingRequest, to route: Route, _ parameters: [Substring]
    ) throws(BrokerError) {
        self.incoming = incoming
        self.parameters = parameters
        query = try Query(RequestTarget(incoming.head.uri).query, known: route.query.names)
        if !route.bodies.isEmpty {
            let type = incoming.head.headers.first(name: "content-type")
            _ = try MediaType(type, offered: route.bodies)
        }
        answerType =
            route.answers.isEmpty
            ? .json
            : try .preferred(
                by: incoming.head.headers[canonicalForm: "accept"], among: route.answers)
        let permission = Permission(of: incoming.identity)
        switch route.access {
        case .everybody, .bearer: break
        case .reader: try permission.checkRead(topic())
        case .viewer: try permission.checkList(topic())
        case .manager: try permission.checkManage(topic())
        }
    }

    /// The `{topic}` of the path.
    ///
    /// - Throws: `invalid_topic`.
    func topic() throws(BrokerError) -> TopicName { try topicName(inPath: parameters[0]) }
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
