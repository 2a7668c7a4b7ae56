package import AccessControl
package import Delivery
package import EventModel
package import Logging
internal import NIOCore
package import NIOHTTP1
package import Publishing
package import SessionProtocol
package import Transport

/// The broker over HTTP: publishes and streams in place, WebSockets to the session endpoint, the
/// rest in a task of its own.
package final class HTTPBroker: HTTPService {
    private let access: RequestAccess
    private let crossOrigin: CrossOrigin
    private let problems: Problems
    private let publishes: PublishEndpoint
    private let follows: FollowEndpoint
    private let upgrades: any UpgradeService
    private let state = NodeState()
    let table: RouteTable

    /// Builds the routes.
    ///
    /// - Parameters:
    ///   - log: Where events go to and come from.
    ///   - publisher: What publishes go through.
    ///   - hub: What brings them to streams.
    ///   - terms: What streams have in common with sessions.
    ///   - authenticate: `nil`: no access control.
    ///   - tickets: Issues them, and takes them back.
    ///   - origins: Pages that may use it from other origins than its own.
    ///   - upgrades: What makes WebSockets.
    ///   - limits: Of bodies, lines, events and pages.
    ///   - now: The node's clock.
    ///   - requestID: Names a refused request, for its answer and the log.
    ///   - logger: Gets what is the broker's own fault.
    package init(
        log: any EventLog, publisher: Publisher, hub: DeliveryHub, terms: SessionTerms,
        authenticate: Authenticate?, tickets: TicketOffice, origins: OriginList,
        upgrades: any UpgradeService, limits: Limits = Limits(),
        now: @escaping @Sendable () -> Timestamp,
        requestID: @escaping @Sendable () -> String = HTTPBroker.randomRequestID, logger: Logger
    ) {
        self.upgrades = upgrades
        access = RequestAccess(authenticate: authenticate, tickets: tickets)
        crossOrigin = CrossOrigin(list: origins)
        problems = Problems(requestID: requestID, logger: logger)
        publishes = PublishEndpoint(
            publisher: publisher, limits: limits, problems: problems)
        follows = FollowEndpoint(log: log, hub: hub, terms: terms, problems: problems)
        let routes =
            HealthRoutes(log: log, state: state, problems: problems, now: now).routes
            + ErrorRoutes().routes + TicketRoutes(tickets: tickets).routes
            + AssetRoutes().routes + TopicRoutes(log: log, limits: limits).routes
            + EventRoutes(
                log: log, hub: hub, limits: limits, problems: problems, now: now
            ).routes
        table = RouteTable(DescriptionRoutes(routes: routes, version: terms.version).described)
    }

    /// All there are.
    var routes: [Route] { table.routes }

    /// A name of 64 random bits, such as `r_2k9d8f7h3j1m0`.
    @Sendable package static func randomRequestID() -> String {
        "r_" + String(UInt64.random(in: .min ... .max), radix: 36)
    }

    /// From now on, work is refused with `draining` and `/readyz` says so; what has begun goes on.
    package func drain() { state.drain() }

    package func admit(
        _ head: HTTPRequestHead, from connection: ConnectionInfo
    ) -> HTTPAdmission {
        let destination = Destination(of: head, in: table)
        let found = destination.found
        if state.isDraining, !found.isOpen, head.method != .OPTIONS {
            return .answer(refusal(NodeState.draining, of: head, found, closes: true))
        }
        if access.authenticate == nil {
            do throws(BrokerError) {
                try LoopbackHost.check(head.headers)
                try crossOrigin.checkChange(head)
            } catch {
                return .answer(refusal(error, of: head, found))
            }
        }
        // A session's first message may bring its credentials.
        let isWebSocket = destination.webSocket != nil
        // A stranger may ask this, and a stranger's body would be held at everybody's expense.
        if isWebSocket || found.isOpen || head.method == .OPTIONS {
            let note = AdmittedRequest(destination)
            return .collect(bodyBytesMax: 0, note: note, mayStream: isWebSocket)
        }
        return admit(head, to: destination, connection)
    }

    /// Nothing of a request's body is collected before its sender is known.
    private func admit(
        _ head: HTTPRequestHead, to destination: Destination, _ connection: ConnectionInfo
    ) -> HTTPAdmission {
        var bodyBytesMax = Route.smallBodyBytesMax
        if case .route(let route, _) = destination.found { bodyBytesMax = route.bodyBytesMax }
        let collection = { [bodyBytesMax] (identity: Identity?) in
            HTTPCollection(
                bodyBytesMax: bodyBytesMax, note: AdmittedRequest(destination, by: identity),
                mayStream: destination.isStream)
        }
        let refuse = { [self] (error: BrokerError) in
            refusal(error, of: head, destination.found)
        }
        switch access.sender(of: head, on: connection.eventLoop) {
        case .known(.success(let identity)): return .collect(collection(identity))
        case .known(.failure(let error)): return .answer(refuse(error))
        case .awaited(let sender):
            return .pending { decision in
                sender.whenKnown { result in
                    switch result {
                    case .success(let identity): decision.collect(collection(identity))
                    case .failure(let error): decision.answer(refuse(error))
                    }
                }
            }
        }
    }

    private func refusal(
        _ error: BrokerError, of head: HTTPRequestHead, _ found: RouteTable.Found,
        closes: Bool = false
    ) -> HTTPAnswer {
        problems.answer(to: found.worded(error), head: head, closes: closes)
            .adding(crossOrigin.fields(for: head))
    }

    private func upgrade(
        _ request: IncomingRequest, to webSocket: Route.WebSocket, _ parameters: [Substring]
    ) {
        do throws(BrokerError) {
            let route: UpgradeRoute =
                switch webSocket {
                case .session: .connect
                case .stream: .topic(try topicName(inPath: parameters[0]))
                }
            upgrades.upgrade(request, route: route)
        } catch {
            request.answer(problems.answer(to: error, head: request.head))
        }
    }

    package func respond(to exchange: HTTPExchange) {
        guard let admitted = exchange.note as? AdmittedRequest else {
            preconditionFailure("bug: a request came back without what was noted of it")
        }
        handle(
            IncomingRequest(
                head: exchange.head, body: exchange.body, connection: exchange.connection,
                identity: admitted.identity, answer: { exchange.answer($0) },
                stream: { exchange.stream($0) },
                whenClientLeaves: { exchange.whenInputEnds($0) }),
            for: admitted.destination)
    }

    /// Answers a request that was admitted; called on its event loop.
    func handle(_ request: IncomingRequest, for destination: Destination) {
        let request = request.adding(crossOrigin.fields(for: request.head))
        let found = destination.found
        if request.head.method == .OPTIONS { return tellOptions(request, found) }
        switch found {
        case .route(let route, let parameters):
            if let webSocket = destination.webSocket {
                return upgrade(request, to: webSocket, parameters)
            }
            precondition(
                request.identity != nil || access.authenticate == nil
                    || route.access == .everybody,
                "bug: a request was admitted without its sender")
            if destination.isStream {
                return follows.follow(parameters.first, request)
            }
            switch route.action {
            case .follow: preconditionFailure("bug: \(route.path) is always a stream")
            case .publish: publishes.publish(request, to: .topic(parameters[0]))
            case .publishMany: publishes.publish(request, to: .many)
            case .answer(let handler): run(handler, route, parameters, request)
            }
        case .path(let allow, _): refuseMethod(request, allow: allow)
        case .nothing: refusePath(request)
        }
    }

    /// What a path, or the whole of them, may be asked for (RFC 9110 9.3.7), and what a browser
    /// asks for a page.
    private func tellOptions(_ request: IncomingRequest, _ found: RouteTable.Found) {
        if CrossOrigin.isPreflight(request.head) {
            do throws(BrokerError) {
                let headers = try crossOrigin.preflight(request.head)
                request.answer(HTTPAnswer(status: .noContent, headers: headers))
            } catch {
                request.answer(problems.answer(to: error, head: request.head))
            }
        } else if case .path(let allow, _) = found {
            request.answer(HTTPAnswer(status: .noContent, headers: ["allow": allow]))
        } else {
            refusePath(request)
        }
    }

    private func refuseMethod(_ request: IncomingRequest, allow: String) {
        let error = BrokerError(
            .methodNotAllowed, "\(quoted(request.head.method.rawValue)) does not fit this path.",
            remedy: "Use one of: \(allow).")
        request.answer(
            problems.answer(to: error, head: request.head, headers: ["allow": allow]))
    }

    private func refusePath(_ request: IncomingRequest) {
        let path = RequestTarget(request.head.uri).path
        let error = BrokerError(.notFound, "There is nothing at \(quoted(path)).")
        request.answer(problems.answer(to: error, head: request.head))
    }

    /// Runs a handler in place: up to the first real wait on this very turn of the event loop, then
    /// on the same loop.
    ///
    /// The task is the request's: it ends with the answer, which is the only thing it owes.
    private func run(
        _ handler: @escaping Route.Handler, _ route: Route, _ parameters: [Substring],
        _ request: IncomingRequest
    ) {
        let problems = problems
        let executor = LoopExecutor(request.connection.eventLoop)
        Task.immediate(executorPreference: executor) {
            do {
                request.answer(try await handler(RouteRequest(request, to: route, parameters)))
            } catch {
                let error =
                    error as? BrokerError ?? BrokerError(.internal, "\(type(of: error))")
                request.answer(problems.answer(to: error, head: request.head))
            }
        }
    }

    package func refuse(_ fault: HTTPFault, head: HTTPRequestHead?) -> HTTPAnswer {
        guard let head else {
            return problems.answer(to: fault.error, head: nil, status: fault.status)
        }
        let error = table.find(head.method, head.uri).worded(fault.error)
        return problems.answer(to: error, head: head, status: fault.status)
            .adding(crossOrigin.fields(for: head))
    }
}
