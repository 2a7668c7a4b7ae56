internal import EventModel
internal import NIOHTTP1
internal import Synchronization
internal import Transport

/// Is the node alive, and does it take work? Load balancers ask without a token.
struct HealthRoutes: Sendable {
    let log: any EventLog
    let state: NodeState
    let problems: Problems
    let now: @Sendable () -> Timestamp

    var routes: [Route] {
        [
            Route(
                method: .GET, path: "/healthz", summary: "Says that the node is alive.",
                access: .everybody, results: [.json("It is.", "Health")],
                action: .answer { _ in .json(.ok, Array(#"{"status":"ok"}"#.utf8)) }),
            Route(
                method: .GET, path: "/readyz",
                summary: "Says whether publishing and subscribing work.", access: .everybody,
                results: [.json("They do.", "Readiness")],
                errors: [.databaseUnavailable, .draining],
                action: .answer { request in try ready(request) }),
        ]
    }

    /// 200 once publishing and subscribing work; `database_unavailable` with what is the matter.
    ///
    /// - Throws: `draining`.
    private func ready(_ request: RouteRequest) throws(BrokerError) -> HTTPAnswer {
        if state.isDraining { throw NodeState.draining }
        let parts = log.parts
        var json = JSONWriter(capacity: 512)
        write(parts, to: &json)
        guard log.isReady else {
            return problems.answer(
                to: Self.unready(parts), head: request.incoming.head,
                members: [(#","parts":"#, json.bytes)])
        }
        return .json(
            .ok, Array(#"{"status":"ready","parts":"#.utf8) + json.bytes + Array("}".utf8))
    }

    /// What is said first is what keeps the node from being ready.
    private static func unready(_ parts: [LogPart]) -> BrokerError {
        let away = parts.filter { $0.isNeeded && $0.state != .up }
        guard let first = away.first, let reason = first.reason else {
            return BrokerError(
                .databaseUnavailable, "Events can not be appended and read now.",
                remedy: "Wait; if it stays, see the broker's log and 'sluice doctor'.")
        }
        let names = away.filter { $0.reason == reason }.map(\.name).joined(separator: ", ")
        let seconds = first.time.components.seconds
        return BrokerError(
            .databaseUnavailable, "Not ready for \(seconds) s: \(reason.text) (\(names)).",
            remedy: reason.remedy)
    }

    private func write(_ parts: [LogPart], to json: inout JSONWriter) {
        for (index, part) in parts.enumerated() {
            json.raw(index == 0 ? #"[{"part":"# : #",{"part":"#)
            json.string(part.name)
            json.raw(#","state":"#)
            json.string(part.state.rawValue)
            json.raw(#","since":"#)
            json.string(now().advanced(by: .zero - part.time).description)
            json.raw(part.isNeeded ? #","needed":true"# : #","needed":false"#)
            if let reason = part.reason {
                json.raw(#","reason":"#)
                json.string(reason.rawValue)
                json.raw(#","remedy":"#)
                json.string(reason.remedy)
            }
            if let error = part.error {
                json.raw(#","error":"#)
                json.string(error)
            }
            json.raw("}")
        }
        json.raw(parts.isEmpty ? "[]" : "]")
    }
}

/// What the node as a whole is about.
final class NodeState: Sendable {
    private let draining = Atomic(false)

    var isDraining: Bool { draining.load(ordering: .relaxed) }

    func drain() { draining.store(true, ordering: .relaxed) }

    static let draining = BrokerError(.draining, "The broker is shutting down.")
}
