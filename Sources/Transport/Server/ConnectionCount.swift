internal import NIOCore
internal import Synchronization

/// How many connections a server has, and who waits for there to be none.
final class ConnectionCount: Sendable {
    private struct State {
        var count = 0
        var isStopped = false
        var waiting: [EventLoopPromise<Void>] = []
    }

    private let state = Mutex(State())

    var value: Int { state.withLock { $0.count } }

    /// Takes in no further connection: one may still be on its way from accept to its event loop.
    func stop() { state.withLock { $0.isStopped = true } }

    /// Counts a connection unless there are `limit` already.
    func enter(limit: Int) -> Bool {
        state.withLock { state in
            guard !state.isStopped, state.count < limit else { return false }
            state.count += 1
            return true
        }
    }

    func leave() {
        let done = state.withLock { state -> [EventLoopPromise<Void>] in
            state.count -= 1
            guard state.count == 0 else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for promise in done { promise.succeed() }
    }

    /// Succeeds when the count is 0, at once if it is.
    func whenNone(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        let isNone = state.withLock { state in
            if state.count > 0 { state.waiting.append(promise) }
            return state.count == 0
        }
        if isNone { promise.succeed() }
        return promise.futureResult
    }
}
