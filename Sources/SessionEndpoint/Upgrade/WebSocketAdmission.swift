internal import AccessControl
internal import Delivery
package import EventModel
internal import FanOut
internal import NIOCore
package import NIOHTTP1
internal import OpenSSLBridge
internal import SessionProtocol
package import Transport
internal import WebSocketCodec

/// Makes sessions and streams of upgrade requests: handshake, origin, credentials, and for a stream
/// its start.
package struct WebSocketAdmission: Sendable {
    private let services: SessionServices
    private let refusal: Refusal

    /// Words a refusal as an HTTP answer.
    package typealias Refusal = @Sendable (BrokerError, HTTPRequestHead, HTTPHeaders) -> HTTPAnswer

    /// Takes the answer to a request: once, on the connection's event loop.
    package typealias Reply = (HTTPReply) -> Void

    private static let sessionProtocol = "sluice.v1"
    private static let streamProtocol = "sluice.events.v1"
    fileprivate static let cloudEventsProtocol = "cloudevents.json"
    private static let tokenPrefix = "bearer."

    package init(_ services: SessionServices, refusal: @escaping Refusal) {
        self.services = services
        self.refusal = refusal
    }

    // MARK: GET /v1/connect

    /// A session of many subscriptions, with the decoded query and what tickets were in it; called
    /// on the connection's loop.
    package func connect(
        items: [(name: String, value: String)], tickets: [String], _ head: HTTPRequestHead,
        from connection: ConnectionInfo, reply: @escaping Reply
    ) {
        let query: SessionQuery
        do { query = try SessionQuery(items: items) } catch {
            return reply(.answer(refusal(error, head, [:])))
        }
        admit(head, subprotocols: [Self.sessionProtocol], reply) { accepted in
            authenticate(head, tickets, accepted, connection) { credentials in
                switch credentials {
                case .admitted(let admission):
                    reply(.stream(session(accepted, admission, query, connection)))
                case .refusedInSession(let error):
                    reply(.stream(session(accepted, .refused(error), query, connection)))
                case .refused(let error): reply(.answer(refusal(error, head, [:])))
                }
            }
        }
    }

    private func session(
        _ accepted: WebSocketUpgrade.Accepted, _ admission: SessionAdmission,
        _ query: SessionQuery, _ info: ConnectionInfo
    ) -> HTTPStream {
        webSocket(accepted) { stream in
            let isDeflated = accepted.deflate != nil
            let outlet = Outlet(
                loop: services.hub.loop(info.loopIndex),
                encoding: .texts(isDeflated: isDeflated, isBatched: query.isBatched))
            let connection = SubscriberConnection(
                stream, outlet: outlet, isDeflated: isDeflated)
            let handler = SessionHandler(
                connection, services: services, admission: admission, query: query)
            connection.begin(handler)
            handler.opened()
            return connection
        }
    }

    // MARK: GET /v1/topics/{topic}/events

    /// A stream of one topic, with the decoded query and what tickets were in it; called on the
    /// connection's loop.
    package func stream(
        _ topic: TopicName, items: [(name: String, value: String)], tickets: [String],
        _ head: HTTPRequestHead, from connection: ConnectionInfo, reply: @escaping Reply
    ) {
        let query: StreamQuery
        do { query = try StreamQuery(of: topic, items: items, terms: services.terms) } catch {
            return reply(.answer(refusal(error, head, [:])))
        }
        let subprotocols = [Self.streamProtocol, Self.cloudEventsProtocol]
        admit(head, subprotocols: subprotocols, reply) { accepted in
            guard query.view == .message || !accepted.isCloudEvents else {
                return reply(.answer(refusal(Self.bareCloudEvents, head, [:])))
            }
            let loop = services.hub.loop(connection.loopIndex)
            let isDeflated = accepted.deflate != nil
            let encoding =
                accepted.isCloudEvents
                ? Encoding.cloudEvents(isDeflated: isDeflated)
                : .stream(query.view, isDeflated: isDeflated)
            authenticate(head, tickets, accepted, connection) { credentials in
                let identity: Identity?
                switch credentials {
                // A stream has no messages for credentials, so they come with the request.
                case .admitted(.awaitsAuth):
                    return reply(.answer(refusal(BearerToken.missing, head, [:])))
                case .admitted(let admission): identity = admission.identity
                case .refused(let error): return reply(.answer(refusal(error, head, [:])))
                // A close code is all that CloudEvents have for it.
                case .refusedInSession(let error) where accepted.isCloudEvents:
                    return reply(
                        .stream(
                            stream(query, nil, accepted) {
                                Outlet(loop: loop, encoding: encoding)
                            } begun: { handler in
                                handler.end(error.code.isRetryable ? .internal : .unauthorized)
                            }))
                // Until it ends, a session that was refused says what such a stream would.
                case .refusedInSession(let error):
                    return reply(
                        .stream(session(accepted, .refused(error), SessionQuery(), connection)))
                }
                StreamStart.begin(
                    query, isResumable: false, by: Permission(of: identity),
                    as: StreamForm(encoding: encoding), on: loop, log: services.log
                ) { result in
                    switch result {
                    case .success(let start):
                        reply(
                            .stream(stream(query, identity, accepted) { start.takeOutlet() }))
                    case .failure(let error): reply(.answer(refusal(error, head, [:])))
                    }
                }
            }
        }
    }

    private func stream(
        _ query: StreamQuery, _ identity: Identity?, _ accepted: WebSocketUpgrade.Accepted,
        outlet: @escaping () -> Outlet, begun: @escaping (EventStreamHandler) -> Void = { _ in }
    ) -> HTTPStream {
        webSocket(accepted) { stream in
            let connection = SubscriberConnection(
                stream, outlet: outlet(), isDeflated: accepted.deflate != nil)
            let handler = EventStreamHandler(
                connection, query: query, terms: services.terms, identity: identity,
                isCloudEvents: accepted.isCloudEvents)
            connection.begin(handler)
            begun(handler)
            return connection
        }
    }

    private static var bareCloudEvents: BrokerError {
        BrokerError(
            .invalidRequest, "A CloudEvent is no bare data.",
            remedy: "Leave out 'view', or the subprotocol '\(cloudEventsProtocol)'.",
            at: InputPlace(field: "view"))
    }

    // MARK: Handshake and credentials

    private func webSocket(
        _ accepted: WebSocketUpgrade.Accepted,
        open: @escaping (StreamConnection) -> any StreamHandler
    ) -> HTTPStream {
        let headers = HTTPHeaders(accepted.headers.map { ($0.name, $0.value) })
        return HTTPStream(status: .switchingProtocols, headers: headers, open: open)
    }

    private func admit(
        _ head: HTTPRequestHead, subprotocols: [String], _ reply: Reply,
        _ accepted: (WebSocketUpgrade.Accepted) -> Void
    ) {
        let headers = head.headers.map { (name: $0.name, value: $0.value) }
        let answer: WebSocketUpgrade.Accepted
        do throws(WebSocketUpgrade.Refused) {
            answer = try WebSocketUpgrade.check(
                method: head.method.rawValue, version: (head.version.major, head.version.minor),
                headers: headers, subprotocols: subprotocols, deflate: DeflatePolicy(),
                sha1: Digest.sha1)
        } catch {
            let fields = HTTPHeaders(error.headers.map { ($0.name, $0.value) })
            return reply(.answer(refusal(error.error, head, fields)))
        }
        do throws(BrokerError) {
            try services.origins.check(
                head.headers["origin"], host: head.headers.first(name: "host"))
        } catch {
            return reply(.answer(refusal(error, head, [:])))
        }
        accepted(answer)
    }

    private enum Credentials {
        case admitted(SessionAdmission)
        case refused(BrokerError)
        case refusedInSession(BrokerError)

        init(_ result: Result<Identity, BrokerError>, isInHeader: Bool) {
            switch result {
            case .success(let identity): self = .admitted(.identified(identity))
            case .failure(let error) where isInHeader: self = .refused(error)
            case .failure(let error): self = .refusedInSession(error)
            }
        }
    }

    /// The credential is the header's token, or that of the subprotocol `bearer.<token>`, which
    /// browsers can send, or a ticket.
    private func authenticate(
        _ head: HTTPRequestHead, _ tickets: [String], _ accepted: WebSocketUpgrade.Accepted,
        _ info: ConnectionInfo, completion: @escaping (Credentials) -> Void
    ) {
        guard let authenticate = services.authenticate else { return completion(.admitted(.open)) }
        let fields = head.headers["authorization"]
        let isInHeader = !fields.isEmpty
        let offered = accepted.offered.first { $0.hasPrefix(Self.tokenPrefix) }
        let found: Credential?
        do throws(BrokerError) {
            found = try Credential.find(
                authorization: fields,
                offered: offered.map { String($0.dropFirst(Self.tokenPrefix.count)) },
                tickets: tickets)
        } catch {
            return completion(Credentials(.failure(error), isInHeader: isInHeader))
        }
        guard let found else { return completion(.admitted(.awaitsAuth)) }
        let bound = NIOLoopBound(completion, eventLoop: info.eventLoop)
        found.verify(authenticate, services.tickets) { result in
            bound.eventLoop.execute {
                bound.value(Credentials(result, isInHeader: isInHeader))
            }
        }
    }
}

extension WebSocketUpgrade.Accepted {
    /// The client wants events alone, in the JSON format of CloudEvents (doc:CloudEvents).
    fileprivate var isCloudEvents: Bool { subprotocol == WebSocketAdmission.cloudEventsProtocol }
}
