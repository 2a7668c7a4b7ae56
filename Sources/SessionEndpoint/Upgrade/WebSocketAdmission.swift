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

    private static let sessionProtocol = "sluice.v1"
    private static let streamProtocol = "sluice.events.v1"
    private static let tokenPrefix = "bearer."

    package init(_ services: SessionServices, refusal: @escaping Refusal) {
        self.services = services
        self.refusal = refusal
    }

    // MARK: GET /v1/connect

    /// A session of many subscriptions; called on the connection's loop.
    package func connect(
        _ head: HTTPRequestHead, from connection: ConnectionInfo
    ) -> HTTPAdmission {
        admit(head, subprotocol: Self.sessionProtocol) { accepted in
            withCredentials(head, accepted, connection) { credentials in
                switch credentials {
                case .admitted(let admission): .upgrade(session(accepted, admission, connection))
                case .refusedInSession(let error):
                    .upgrade(session(accepted, .refused(error), connection))
                case .refused(let error): .answer(refusal(error, head, [:]))
                }
            }
        }
    }

    private func session(
        _ accepted: WebSocketUpgrade.Accepted, _ admission: SessionAdmission, _ info: ConnectionInfo
    ) -> HTTPUpgrade {
        HTTPUpgrade(headers: HTTPHeaders(accepted.headers.map { ($0.name, $0.value) })) { stream in
            let connection = SubscriberConnection(
                stream, loop: services.hub.loop(info.loopIndex))
            let handler = SessionHandler(connection, services: services, admission: admission)
            connection.begin(handler)
            handler.opened()
            return connection
        }
    }

    // MARK: GET /v1/topics/{topic}/events

    /// A stream of one topic, with the decoded query; called on the connection's loop.
    package func stream(
        _ topic: TopicName, items: [(name: String, value: String)], _ head: HTTPRequestHead,
        from connection: ConnectionInfo
    ) -> HTTPAdmission {
        let query: StreamQuery
        do { query = try StreamQuery(items: items) } catch {
            return .answer(refusal(error, head, [:]))
        }
        return admit(head, subprotocol: Self.streamProtocol) { accepted in
            .pendingUpgrade { decision in
                authorize(head, accepted, connection) { credentials in
                    let identity: Identity?
                    switch credentials {
                    case .admitted(let admission): identity = admission.identity
                    case .refused(let error): return decision.answer(refusal(error, head, [:]))
                    // Until it ends, a session that was refused says what such a stream would.
                    case .refusedInSession(let error):
                        return decision.upgrade(session(accepted, .refused(error), connection))
                    }
                    fixStart(topic, query.from, identity, connection) { result in
                        switch result {
                        case .success(let (question, start)):
                            decision.upgrade(
                                stream(topic, question, start, identity, accepted, connection))
                        case .failure(let error): decision.answer(refusal(error, head, [:]))
                        }
                    }
                }
            }
        }
    }

    /// What a stream asked for, and what it came to; `nil` if the topic does not exist.
    private typealias FixedStart = (question: StartOperation.Question, start: ReaderStart?)

    /// Whatever is acknowledged behind the start is delivered, so it is fixed before the 101
    /// (doc:HTTP).
    private func fixStart(
        _ topic: TopicName, _ from: StartPosition, _ identity: Identity?, _ info: ConnectionInfo,
        completion: @escaping (Result<FixedStart, BrokerError>) -> Void
    ) {
        let question: StartOperation.Question
        do throws(BrokerError) {
            question = try StartOperation.Question(
                patterns: [TopicPattern(topic)], from: from, by: Permission(of: identity))
        } catch {
            return completion(.failure(error))
        }
        let operation = StartOperation(
            question, loop: services.hub.loop(info.loopIndex), log: services.log
        ) { completion($0.map { (question, $0.first) }) }
        operation.run(now: .now)
    }

    private func stream(
        _ topic: TopicName, _ question: StartOperation.Question, _ start: ReaderStart?,
        _ identity: Identity?, _ accepted: WebSocketUpgrade.Accepted, _ info: ConnectionInfo
    ) -> HTTPUpgrade {
        HTTPUpgrade(headers: HTTPHeaders(accepted.headers.map { ($0.name, $0.value) })) { stream in
            let connection = SubscriberConnection(
                stream, loop: services.hub.loop(info.loopIndex))
            let handler = EventStreamHandler(
                connection, terms: services.terms, identity: identity)
            connection.begin(handler)
            handler.opened(topic: topic, question, start: start, log: services.log)
            return connection
        }
    }

    // MARK: Handshake and credentials

    private func admit(
        _ head: HTTPRequestHead, subprotocol: String,
        _ accepted: (WebSocketUpgrade.Accepted) -> HTTPAdmission
    ) -> HTTPAdmission {
        let headers = head.headers.map { (name: $0.name, value: $0.value) }
        let answer: WebSocketUpgrade.Accepted
        do throws(WebSocketUpgrade.Refused) {
            answer = try WebSocketUpgrade.check(
                method: head.method.rawValue, version: (head.version.major, head.version.minor),
                headers: headers, subprotocols: [subprotocol], sha1: Digest.sha1)
        } catch {
            let fields = HTTPHeaders(error.headers.map { ($0.name, $0.value) })
            return .answer(refusal(error.error, head, fields))
        }
        do throws(BrokerError) {
            try WebSocketUpgrade.checkOrigin(headers: headers, allowed: services.origins)
        } catch {
            return .answer(refusal(error, head, [:]))
        }
        return accepted(answer)
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

    /// The token of the header, or of the subprotocol `bearer.<token>`, which browsers can send.
    ///
    /// - Throws: `unauthorized` for a header that is not one bearer token.
    private func token(
        _ head: HTTPRequestHead, _ accepted: WebSocketUpgrade.Accepted
    ) throws(BrokerError) -> (text: String, isInHeader: Bool)? {
        if let text = try BearerToken.find(in: head.headers["authorization"]) {
            return (text, true)
        }
        let offered = accepted.offered.first { $0.hasPrefix(Self.tokenPrefix) }
        return offered.map { (String($0.dropFirst(Self.tokenPrefix.count)), false) }
    }

    private func withCredentials(
        _ head: HTTPRequestHead, _ accepted: WebSocketUpgrade.Accepted, _ info: ConnectionInfo,
        _ decide: @escaping (Credentials) -> HTTPAdmission
    ) -> HTTPAdmission {
        guard let authenticate = services.authenticate else { return decide(.admitted(.open)) }
        let found: (text: String, isInHeader: Bool)?
        do throws(BrokerError) { found = try token(head, accepted) } catch {
            return decide(.refused(error))
        }
        guard let token = found else { return decide(.admitted(.awaitsAuth)) }
        return .pendingUpgrade { decision in
            let bound = NIOLoopBound((decision, decide), eventLoop: info.eventLoop)
            authenticate(token.text) { result in
                bound.eventLoop.execute {
                    let (decision, decide) = bound.value
                    switch decide(Credentials(result, isInHeader: token.isInHeader)) {
                    case .upgrade(let upgrade): decision.upgrade(upgrade)
                    case .answer(let answer): decision.answer(answer)
                    case .collect, .pending, .pendingUpgrade:
                        preconditionFailure("bug: credentials decide at once")
                    }
                }
            }
        }
    }

    /// A stream has no messages for credentials, so they come with the request.
    private func authorize(
        _ head: HTTPRequestHead, _ accepted: WebSocketUpgrade.Accepted, _ info: ConnectionInfo,
        completion: @escaping (Credentials) -> Void
    ) {
        guard let authenticate = services.authenticate else { return completion(.admitted(.open)) }
        let found: (text: String, isInHeader: Bool)?
        do throws(BrokerError) { found = try token(head, accepted) } catch {
            return completion(.refused(error))
        }
        guard let token = found else { return completion(.refused(BearerToken.missing)) }
        let bound = NIOLoopBound(completion, eventLoop: info.eventLoop)
        authenticate(token.text) { result in
            bound.eventLoop.execute {
                bound.value(Credentials(result, isInHeader: token.isInHeader))
            }
        }
    }
}
