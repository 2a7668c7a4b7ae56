package import NIOCore
package import NIOHTTP1

/// What answers the requests of a transport server; implemented by the HTTP endpoint.
package protocol HTTPService: Sendable {
    /// Decides about a request when its head is complete; called on the connection's event loop.
    ///
    /// The head is checked: one Host, sound framing, the target in origin form (an absolute form
    /// was split into target and Host, RFC 9112 3.2.2).
    func admit(_ head: HTTPRequestHead, from connection: ConnectionInfo) -> HTTPAdmission

    /// Answers an admitted request whose body is complete and within the admitted limit.
    ///
    /// Called on the event loop. `HTTPExchange.answer` is to be called exactly once, from any
    /// thread, or `HTTPExchange.stream` if the request was admitted so.
    func respond(to exchange: HTTPExchange)

    /// Words the answer to a request that the transport itself refuses; called on the event loop.
    func refuse(_ fault: HTTPFault, head: HTTPRequestHead?) -> HTTPAnswer
}

/// Where a request or stream comes from: one for each connection, and copies of it.
package struct ConnectionInfo: Sendable {
    /// Address and port of the peer, `127.0.0.1:40000` or `[::1]:40000`.
    package let remoteAddress: String
    package let isTLS: Bool
    package let eventLoop: any EventLoop
    /// The event loop's number, from 0 in the order of the server's group.
    package let loopIndex: Int

    package init(remoteAddress: String, isTLS: Bool, eventLoop: any EventLoop, loopIndex: Int) {
        self.remoteAddress = remoteAddress
        self.isTLS = isTLS
        self.eventLoop = eventLoop
        self.loopIndex = loopIndex
    }
}

/// What is to be done with a request, decided by its head alone.
package enum HTTPAdmission {
    /// Collect the body and call `respond`.
    case collect(HTTPCollection)
    /// Answer without reading the body: a short rest is forgotten, otherwise the connection closes.
    case answer(HTTPAnswer)
    /// One of the two above, decided later on the same event loop; no body is read meanwhile.
    ///
    /// Who sends the request may have to be asked of the database. The closure is called at once.
    case pending((HTTPAdmissionDecision) -> Void)

    package static func collect(
        bodyBytesMax: Int, note: (any AnyObject & Sendable)? = nil, mayStream: Bool = false
    ) -> HTTPAdmission {
        .collect(HTTPCollection(bodyBytesMax: bodyBytesMax, note: note, mayStream: mayStream))
    }
}

/// How an admitted request is collected.
package struct HTTPCollection {
    /// Over it the request is refused with 413.
    package var bodyBytesMax: Int
    /// What the service found out about the request; the exchange brings it back.
    package var note: (any AnyObject & Sendable)?
    /// The answer may be a stream: a body is refused, and what comes behind the request is held
    /// until it is answered.
    package var mayStream: Bool

    package init(
        bodyBytesMax: Int, note: (any AnyObject & Sendable)? = nil, mayStream: Bool = false
    ) {
        self.bodyBytesMax = bodyBytesMax
        self.note = note
        self.mayStream = mayStream
    }
}

/// A complete answer; Content-Length, Date and Connection are the transport's.
package struct HTTPAnswer: Sendable {
    package var status: HTTPResponseStatus
    package var headers: HTTPHeaders
    /// The body; not sent to HEAD, whose Content-Length tells its size all the same.
    package var body: ByteBuffer?
    /// Whether the connection is closed behind the answer.
    package var closes: Bool

    package init(
        status: HTTPResponseStatus, headers: HTTPHeaders = [:], body: ByteBuffer? = nil,
        closes: Bool = false
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.closes = closes
    }
}

/// The place of an admission that is decided later: exactly one call, on the event loop.
///
/// A decision that is dropped undecided, on the event loop too, is answered as
/// `HTTPFault.unanswered`. When the connection ended meanwhile the call has no effect.
package final class HTTPAdmissionDecision {
    package enum Outcome {
        case collect(HTTPCollection)
        case answer(HTTPAnswer)
        case dropped
    }

    private var decide: ((Outcome) -> Void)?

    package init(_ decide: @escaping (Outcome) -> Void) { self.decide = decide }

    deinit { decide?(.dropped) }

    package func collect(_ collection: HTTPCollection) { settle(.collect(collection)) }

    package func answer(_ answer: HTTPAnswer) { settle(.answer(answer)) }

    private func settle(_ outcome: Outcome) {
        guard let decide else { preconditionFailure("bug: an admission was decided twice") }
        self.decide = nil
        decide(outcome)
    }
}

@available(*, unavailable) extension HTTPAdmissionDecision: Sendable {}

/// Why the transport itself refuses a request; the service words the answer.
package enum HTTPFault: Sendable, Equatable {
    /// Not HTTP/1.1 as RFC 9112 wants it; the text says what.
    case badRequest(String)
    case headersTooLarge
    case uriTooLong
    case bodyTooLarge(bodyBytesMax: Int)
    /// The bodies of all connections together are over the server's budget.
    case bodiesTooLarge(bodiesBytesMax: Int)
    case requestTimeout
    /// An `Expect` other than `100-continue`.
    case expectationFailed
    case versionNotSupported
    /// The service let a request go without an answer.
    case unanswered

    /// The status that belongs to the fault.
    package var status: HTTPResponseStatus {
        switch self {
        case .badRequest: .badRequest
        case .headersTooLarge: .requestHeaderFieldsTooLarge
        case .uriTooLong: .uriTooLong
        case .bodyTooLarge: .payloadTooLarge
        case .bodiesTooLarge: .tooManyRequests
        case .requestTimeout: .requestTimeout
        case .expectationFailed: .expectationFailed
        case .versionNotSupported: .httpVersionNotSupported
        case .unanswered: .internalServerError
        }
    }

    /// The fault in words.
    package var message: String {
        switch self {
        case .badRequest(let what): "The request is not valid HTTP/1.1: \(what)."
        case .headersTooLarge: "The request line and headers are too large."
        case .uriTooLong: "The request target is too long."
        case .bodyTooLarge(let most): "The request body is larger than \(most) bytes."
        case .bodiesTooLarge(let most):
            "The broker holds request bodies of \(most) bytes already, and takes no more."
        case .requestTimeout: "The request did not arrive in time."
        case .expectationFailed: "Only the expectation 100-continue is supported."
        case .versionNotSupported: "Only HTTP/1.0 and HTTP/1.1 are supported."
        case .unanswered: "The request was not answered."
        }
    }
}
