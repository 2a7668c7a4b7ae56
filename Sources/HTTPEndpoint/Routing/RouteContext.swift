internal import EventModel
internal import HTTPTypes
internal import Hummingbird
internal import Logging

/// What a route knows beside the request: Hummingbird's own, and the original.
struct RouteContext: RequestContext {
    typealias Source = RouteSource

    var coreContext: CoreRequestContextStorage
    let incoming: IncomingRequest

    init(source: RouteSource) {
        coreContext = CoreRequestContextStorage(source: source)
        incoming = source.incoming
    }

    /// The `{topic}` of the path.
    ///
    /// - Throws: `invalid_topic`.
    func topic() throws(BrokerError) -> TopicName {
        try topicName(inPath: (parameters.get("topic") ?? "")[...])
    }
}

/// Where a route's context comes from.
struct RouteSource: RequestContextSource {
    let logger: Logger
    let incoming: IncomingRequest
}

extension Request {
    /// The members of the query.
    ///
    /// - Throws: `unknown_field` for those that the route does not know.
    func query(_ known: String...) throws(BrokerError) -> Query {
        try Query(RequestTarget(head.path ?? "").query, known: Set(known))
    }
}
