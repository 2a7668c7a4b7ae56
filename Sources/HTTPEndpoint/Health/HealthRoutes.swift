internal import EventModel
internal import NIOHTTP1
internal import Synchronization
internal import Transport

/// Is the node alive, and does it take work? Load balancers ask without a token.
struct HealthRoutes: Sendable {
    let log: any EventLog
    let state: NodeState

    var routes: [Route] {
        [
            Route(
                method: .GET, path: "/healthz", summary: "Says that the node is alive.",
                access: .everybody,
                action: .answer { _ in .json(.ok, Array(#"{"status":"ok"}"#.utf8)) }),
            Route(
                method: .GET, path: "/readyz",
                summary: "Says whether publishing and subscribing work.", access: .everybody,
                action: .answer { _ in try ready() }),
        ]
    }

    /// 200 once publishing and subscribing work.
    ///
    /// - Throws: `draining`, `database_unavailable`.
    private func ready() throws(BrokerError) -> HTTPAnswer {
        if state.isDraining { throw NodeState.draining }
        guard log.isReady else {
            throw BrokerError(
                .databaseUnavailable, "Events can not be appended and read now.",
                remedy: "Wait; if it stays, see the broker's log and 'sluice doctor'.")
        }
        return .json(.ok, Array(#"{"status":"ready"}"#.utf8))
    }
}

/// What the node as a whole is about.
final class NodeState: Sendable {
    private let draining = Atomic(false)

    var isDraining: Bool { draining.load(ordering: .relaxed) }

    func drain() { draining.store(true, ordering: .relaxed) }

    static let draining = BrokerError(.draining, "The broker is shutting down.")
}
