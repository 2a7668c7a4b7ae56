package import AccessControl
package import EventModel
internal import NIOCore
internal import NIOHTTP1
internal import Transport

/// Checks a token; answers once, on any thread, and at once when the token is known already.
package typealias Authenticate =
    @Sendable (String, @escaping @Sendable (Result<Identity, BrokerError>) -> Void) -> Void

/// Who sends a request (PROTOCOL 2, Credentials).
struct RequestAccess: Sendable {
    /// `nil`: no access control.
    let authenticate: Authenticate?

    /// What is known about the sender; `nil` for the identity without access control.
    enum Answer: Sendable {
        /// At once.
        case known(Result<Identity?, BrokerError>)
        /// Not at once: `later` follows.
        case pending
        case later(Result<Identity?, BrokerError>)
    }

    /// Tells `body` who sends the request: once, or `pending` and then `later`.
    ///
    /// Called on the request's event loop, and so is `body`.
    func identify(_ request: IncomingRequest, _ body: @escaping @Sendable (Answer) -> Void) {
        guard let authenticate else { return body(.known(.success(nil))) }
        let token: String
        do throws(BrokerError) {
            token = try Self.token(of: request.head)
        } catch {
            return body(.known(.failure(error)))
        }
        let isAsking = NIOLoopBoundBox(true, eventLoop: request.connection.eventLoop)
        let isAnswered = NIOLoopBoundBox(false, eventLoop: request.connection.eventLoop)
        authenticate(token) { result in
            request.onLoop {
                isAnswered.value = true
                let result = result.map { Optional($0) }
                body(isAsking.value ? .known(result) : .later(result))
            }
        }
        isAsking.value = false
        if !isAnswered.value { body(.pending) }
    }

    /// Refuses a sender before its body is read, if that can be done at once; called on the event loop.
    func refusal(of head: HTTPRequestHead, from connection: ConnectionInfo) -> BrokerError? {
        guard let authenticate else { return nil }
        do throws(BrokerError) {
            let token = try Self.token(of: head)
            let eventLoop = connection.eventLoop
            let refusal = NIOLoopBoundBox<BrokerError?>(nil, eventLoop: eventLoop)
            authenticate(token) { result in
                guard eventLoop.inEventLoop, case .failure(let error) = result else { return }
                refusal.value = error
            }
            return refusal.value
        } catch {
            return error
        }
    }

    private static func token(of head: HTTPRequestHead) throws(BrokerError) -> String {
        let fields = head.headers.lazy.filter { $0.name.isField("authorization") }.map(\.value)
        guard let token = try BearerToken.find(in: fields) else { throw BearerToken.missing }
        return token
    }
}
