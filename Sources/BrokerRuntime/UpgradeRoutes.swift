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

    func upgrade(
        _ head: HTTPRequestHead, route: UpgradeRoute, from connection: ConnectionInfo
    ) -> HTTPAdmission {
        switch route {
        case .connect: return endpoint.connect(head, from: connection)
        case .topic(let topic):
            do throws(BrokerError) {
                let items = try queryItems(of: head.uri)
                return endpoint.stream(topic, items: items, head, from: connection)
            } catch {
                return .answer(Self.refuse(error, head, [:]))
            }
        }
    }

    @Sendable private static func refuse(
        _ error: BrokerError, _ head: HTTPRequestHead, _ headers: HTTPHeaders
    ) -> HTTPAnswer {
        ProblemDocument(error, requestID: HTTPBroker.randomRequestID(), headers: headers).answer
    }
}
