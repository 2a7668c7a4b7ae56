internal import AccessControl
internal import EventModel
internal import NIOCore
internal import NIOHTTP1

/// Who sends a request (doc:Session, Credentials); asked when its head has come and nothing more.
struct RequestAccess: Sendable {
    /// `nil`: no access control.
    let authenticate: Authenticate?
    let tickets: TicketOffice

    /// What is known about a sender; `nil` for the identity without access control.
    enum Sender {
        case known(Result<Identity?, BrokerError>)
        case awaited(AwaitedSender)
    }

    /// Finds out who sends a request; called on its event loop.
    func sender(of head: HTTPRequestHead, on eventLoop: any EventLoop) -> Sender {
        guard let authenticate else { return .known(.success(nil)) }
        let credential: Credential
        do throws(BrokerError) {
            credential = try Self.credential(of: head)
        } catch {
            return .known(.failure(error))
        }
        let awaited = AwaitedSender()
        let place = NIOLoopBound(awaited, eventLoop: eventLoop)
        credential.verify(authenticate, tickets) { result in
            if eventLoop.inEventLoop {
                place.value.becameKnown(result)
            } else {
                eventLoop.execute { place.value.becameKnown(result) }
            }
        }
        return awaited.result.map { .known($0.map { $0 }) } ?? .awaited(awaited)
    }

    private static func credential(of head: HTTPRequestHead) throws(BrokerError) -> Credential {
        var fields: [String] = []
        for (name, value) in head.headers where name.isField("authorization") {
            fields.append(value)
        }
        let tickets = TicketedTarget(of: head).tickets
        guard let found = try Credential.find(authorization: fields, tickets: tickets) else {
            throw BearerToken.missing
        }
        return found
    }
}

/// A sender whose token or ticket is being looked up; confined to an event loop.
final class AwaitedSender {
    fileprivate private(set) var result: Result<Identity, BrokerError>?
    private var body: ((Result<Identity, BrokerError>) -> Void)?

    /// Calls `body` once, when the sender is known.
    func whenKnown(_ body: @escaping (Result<Identity, BrokerError>) -> Void) {
        if let result { body(result) } else { self.body = body }
    }

    fileprivate func becameKnown(_ result: Result<Identity, BrokerError>) {
        self.result = result
        body?(result)
        body = nil
    }
}

@available(*, unavailable) extension AwaitedSender: Sendable {}
