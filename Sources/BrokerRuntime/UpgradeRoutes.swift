internal import EventModel
internal import HTTPEndpoint
internal import NIOHTTP1
internal import SessionEndpoint
internal import Transport

/// Joins the two endpoints: HTTP finds the route of an upgrade, the subscribe endpoint makes the
/// WebSocket.
struct UpgradeRoutes: UpgradeService {
    private let endpoint: WebSocketAdmission

    init(_ services: SessionServices) {
        endpoint = WebSocketAdmission(services, refusal: Self.refuse)
    }

    func upgrade(_ request: IncomingRequest, route: UpgradeRoute) {
        let (head, connection) = (request.head, request.connection)
        let reply = { (reply: HTTPReply) in
            switch reply {
            case .answer(let answer): request.answer(answer)
            case .stream(let stream): request.stream(stream)
            }
        }
        let items: [(name: String, value: String)]
        do { items = try queryItems(of: head.uri) } catch {
            return request.answer(Self.refuse(error, head, [:]))
        }
        switch route {
        case .connect:
            endpoint.connect(
                items: items, tickets: request.tickets, head, from: connection, reply: reply)
        case .topic(let topic):
            endpoint.stream(
                topic, items: items, tickets: request.tickets, head, from: connection, reply: reply)
        }
    }

    @Sendable private static func refuse(
        _ error: BrokerError, _ head: HTTPRequestHead, _ headers: HTTPHeaders
    ) -> HTTPAnswer {
        ProblemDocument(error, requestID: HTTPBroker.randomRequestID(), headers: headers).answer
    }
}
