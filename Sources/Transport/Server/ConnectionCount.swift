internal import Logging
internal import NIOCore
internal import Synchronization

/// The connections that a server has, counted, and who waits for there to be none.
final class ConnectionCount: Sendable {
    private struct State {
        var tally = ConnectionTally()
        var notes: [ConnectionTally.Refusal: RefusalNotes] = [:]
        var waiting: [EventLoopPromise<Void>] = []
    }

    private let state = Mutex(State())

    private let limits: TransportLimits
    private let logger: Logger

    init(_ limits: TransportLimits, logger: Logger) {
        self.limits = limits
        self.logger = logger
    }

    var value: Int { state.withLock { $0.tally.count } }

    /// Takes in no further connection: one may still be on its way from accept to its event loop.
    func stop() { state.withLock { $0.tally.stop() } }

    /// Counts a connection; `false`: there are too many, or the server stops.
    func enter(_ network: ClientNetwork?) -> Bool {
        let (refusal, told) = state.withLock { state -> (ConnectionTally.Refusal?, Int?) in
            guard let refusal = state.tally.enter(network, limits) else { return (nil, nil) }
            return (refusal, state.notes[refusal, default: RefusalNotes()].refused(now: .now()))
        }
        if let refusal, let told { tell(refusal, told) }
        return refusal == nil
    }

    private func tell(_ refusal: ConnectionTally.Refusal, _ count: Int) {
        switch refusal {
        case .isStopped: break
        case .tooMany:
            logger.warning(
                "connections closed at once: there are too many",
                metadata: [
                    "refused": "\(count)", "connections": "\(limits.connectionsMax)",
                    "remedy": "Raise connections_max, or add a node.",
                ])
        case .tooManyOfNetwork:
            logger.warning(
                "connections closed at once: there are too many of their address",
                metadata: [
                    "refused": "\(count)", "connections": "\(limits.connectionsPerAddressMax)",
                    "remedy": "Raise limits.connections_per_address if it is a proxy's.",
                ])
        }
    }

    func leave(_ network: ClientNetwork?) {
        let done = state.withLock { state -> [EventLoopPromise<Void>] in
            state.tally.leave(network)
            guard state.tally.count == 0 else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for promise in done { promise.succeed() }
    }

    /// Succeeds when the count is 0, at once if it is.
    func whenNone(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        let isNone = state.withLock { state in
            if state.tally.count > 0 { state.waiting.append(promise) }
            return state.tally.count == 0
        }
        if isNone { promise.succeed() }
        return promise.futureResult
    }
}
