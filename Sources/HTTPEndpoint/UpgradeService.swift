package import EventModel

/// Makes WebSockets of requests; implemented by the subscribe endpoint.
package protocol UpgradeService: Sendable {
    /// Answers a GET that asks for `Upgrade: websocket`; called on the connection's event loop.
    ///
    /// The service authenticates by itself, as a session's token may come in its first message, and
    /// checks the handshake (RFC 6455 4.2). Its refusals are problem documents too.
    func upgrade(_ request: IncomingRequest, route: UpgradeRoute)
}

/// What a WebSocket is asked for.
package enum UpgradeRoute: Hashable, Sendable {
    /// `/v1/connect`: a session of many subscriptions.
    case connect
    /// `/v1/topics/{topic}/events`: one topic's stream.
    case topic(TopicName)
}
