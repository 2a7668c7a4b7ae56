internal import AccessControl
package import EventModel
internal import HTTPTypes
internal import Hummingbird
package import Logging
internal import NIOCore
package import NIOHTTP1
package import Transport

/// The broker over HTTP: publishes in place, WebSockets to the subscribe endpoint, the rest through the router.
package final class HTTPBroker: HTTPService {
    private let limits: Limits
    private let access: RequestAccess
    private let problems: Problems
    private let publishes: PublishEndpoint
    private let upgrades: any UpgradeService
    private let state = NodeState()
    private let responder: RouterResponder<RouteContext>
    private let logger: Logger

    /// Builds the routes.
    ///
    /// - Parameters:
    ///   - log: Where events go to and come from.
    ///   - authenticate: `nil`: no access control.
    ///   - upgrades: What makes WebSockets.
    ///   - limits: Of bodies, lines, events and pages.
    ///   - createsTopics: Whether a publish may create its topic.
    ///   - sha256: For the digests of idempotency keys.
    ///   - now: The node's clock.
    ///   - requestID: Names a refused request, for its answer and the log.
    ///   - logger: Gets what is the broker's own fault.
    package init(
        log: any EventLog, authenticate: Authenticate?, upgrades: any UpgradeService,
        limits: Limits = Limits(), createsTopics: Bool = true, sha256: @escaping SHA256,
        now: @escaping @Sendable () -> Timestamp,
        requestID: @escaping @Sendable () -> String = HTTPBroker.randomRequestID, logger: Logger
    ) {
        self.limits = limits
        self.logger = logger
        self.upgrades = upgrades
        access = RequestAccess(authenticate: authenticate)
        problems = Problems(requestID: requestID, logger: logger)
        publishes = PublishEndpoint(
            log: log, limits: limits, createsTopics: createsTopics, sha256: sha256,
            problems: problems)
        let table = RouteTable(problems: problems)
        HealthRoutes(log: log, state: state).add(to: table)
        ErrorRoutes().add(to: table)
        TopicRoutes(log: log, limits: limits).add(to: table)
        EventRoutes(log: log, limits: limits, publishes: publishes, problems: problems, now: now)
            .add(to: table)
        responder = table.responder()
    }

    /// A name of 64 random bits, such as `r_2k9d8f7h3j1m0`.
    @Sendable package static func randomRequestID() -> String {
        "r_" + String(UInt64.random(in: .min ... .max), radix: 36)
    }

    /// From now on, work is refused with `draining` and `/readyz` says so; what has begun goes on.
    package func drain() { state.drain() }

    package func admit(
        _ head: HTTPRequestHead, from connection: ConnectionInfo
    ) -> HTTPAdmission {
        let destination = Destination(head)
        if state.isDraining, destination != .open {
            let error = destination.worded(NodeState.draining)
            return .answer(problems.answer(to: error, head: head, closes: true))
        }
        if access.authenticate == nil {
            do throws(BrokerError) { try LoopbackHost.check(head.headers) } catch {
                return .answer(problems.answer(to: destination.worded(error), head: head))
            }
        }
        switch destination {
        case .publish, .publishMany, .router: return admit(head, to: destination, connection)
        case .connect: return upgrades.upgrade(head, route: .connect, from: connection)
        case .stream(let text):
            do throws(BrokerError) {
                let topic = try topicName(inPath: text)
                return upgrades.upgrade(head, route: .topic(topic), from: connection)
            } catch {
                return .answer(problems.answer(to: error, head: head))
            }
        // A stranger may ask this, and a stranger's body would be held at everybody's expense.
        case .open: return .collect(bodyBytesMax: 0)
        }
    }

    /// Nothing of a request's body is collected before its sender is known.
    private func admit(
        _ head: HTTPRequestHead, to destination: Destination, _ connection: ConnectionInfo
    ) -> HTTPAdmission {
        let bodyBytesMax =
            destination == .router ? TopicRoutes.bodyBytesMax : limits.bodyBytesMax
        let refuse = { [problems] (error: BrokerError) in
            problems.answer(to: destination.worded(error), head: head)
        }
        switch access.sender(of: head, on: connection.eventLoop) {
        case .known(.success(let identity)):
            return .collect(bodyBytesMax: bodyBytesMax, sender: identity)
        case .known(.failure(let error)): return .answer(refuse(error))
        case .awaited(let sender):
            return .pending { decision in
                sender.whenKnown { result in
                    switch result {
                    case .success(let identity):
                        decision.collect(bodyBytesMax: bodyBytesMax, sender: identity)
                    case .failure(let error): decision.answer(refuse(error))
                    }
                }
            }
        }
    }

    package func respond(to exchange: HTTPExchange) {
        handle(
            IncomingRequest(
                head: exchange.head, body: exchange.body, connection: exchange.connection,
                identity: exchange.sender as? Identity, answer: { exchange.answer($0) }))
    }

    /// Answers a request that was admitted; called on its event loop.
    package func handle(_ request: IncomingRequest) {
        let destination = Destination(request.head)
        precondition(
            request.identity != nil || access.authenticate == nil || destination == .open,
            "bug: a request was admitted without its sender")
        switch destination {
        case .publish(let topic): publishes.publish(request, to: .topic(topic))
        case .publishMany: publishes.publish(request, to: .many)
        case .connect, .stream, .open, .router: route(request)
        }
    }

    /// Runs the router in place: up to the first real wait on this very turn of the event loop, then on the same loop.
    ///
    /// The task is the request's: it ends with the answer, which is the only thing it owes.
    private func route(_ request: IncomingRequest) {
        let (responder, problems) = (responder, problems)
        let context = RouteContext(source: RouteSource(logger: logger, incoming: request))
        let routed = RouteTable.request(request)
        let executor = LoopExecutor(request.connection.eventLoop)
        Task.immediate(executorPreference: executor) {
            do {
                let response = try await responder.respond(to: routed, context: context)
                request.answer(try await response.answer())
            } catch {
                let failure = BrokerError(.internal, "\(type(of: error))")
                request.answer(problems.answer(to: failure, head: request.head))
            }
        }
    }

    package func refuse(_ fault: HTTPFault, head: HTTPRequestHead?) -> HTTPAnswer {
        let error = head.map { Destination($0).worded(fault.error) } ?? fault.error
        return problems.answer(to: error, head: head, status: fault.status)
    }
}
