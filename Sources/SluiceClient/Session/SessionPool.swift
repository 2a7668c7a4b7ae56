internal import EventModel
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// The sessions of a client: its subscriptions share one, as far as they do not overlap.
final class SessionPool: Sendable {
    /// One session, usable from any task.
    private struct Line: Sendable {
        let loop: any EventLoop
        let driver: NIOLoopBoundBox<SessionDriver>

        func perform(_ body: @escaping @Sendable (SessionDriver) -> Void) {
            loop.execute { [driver] in body(driver.value) }
        }
    }

    /// What is told to a session is told while this is locked, so that one subscription has left
    /// before another takes its place.
    private struct State {
        var placement = SessionPlacement()
        var lines: [Int: Line] = [:]
        var lastID: Int64 = 0
        var hasConnected = false
    }

    let connector: BrokerConnector
    private let state = Mutex(State())

    init(_ connector: BrokerConnector) { self.connector = connector }

    /// A session with the broker came about.
    func connected() { state.withLock { $0.hasConnected = true } }

    /// Begins a subscription in a session where it overlaps no other, and connects if that is a new
    /// one.
    ///
    /// `progress` makes the subscription's progress with its id, which is returned.
    func join(
        _ patterns: [TopicPattern], isBatched: Bool, mailbox: SubscriptionMailbox,
        progress: (Int64) -> SubscriptionProgress
    ) -> Int64 {
        state.withLock { state in
            state.lastID += 1
            let id = state.lastID
            let place = state.placement.place(id, patterns, isBatched: isBatched)
            let progress = progress(id)
            line(place, isBatched: isBatched, &state).perform { $0.join(progress, mailbox) }
            return id
        }
    }

    /// Goes on with a subscription that the broker would not have beside others in a session of its
    /// own.
    func move(
        _ progress: SubscriptionProgress, isBatched: Bool, _ mailbox: SubscriptionMailbox
    ) {
        state.withLock { state in
            guard let place = state.placement.moveApart(progress.id) else { return }
            line(place, isBatched: isBatched, &state).perform { $0.join(progress, mailbox) }
        }
    }

    private func line(_ place: Int, isBatched: Bool, _ state: inout State) -> Line {
        if let line = state.lines[place] { return line }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let driver = SessionDriver(
            self, on: loop, isBatched: isBatched, hasConnected: state.hasConnected)
        let line = Line(
            loop: loop, driver: NIOLoopBoundBox.makeBoxSendingValue(driver, eventLoop: loop))
        state.lines[place] = line
        return line
    }

    /// Nobody wants the subscription any more.
    func leave(_ id: Int64) { remove(id, telling: { $0.leave(id) }) }

    /// The subscription is over in its session.
    func forget(_ id: Int64) { remove(id, telling: nil) }

    private func remove(_ id: Int64, telling body: (@Sendable (SessionDriver) -> Void)?) {
        state.withLock { state in
            guard let (place, isEmpty) = state.placement.remove(id) else { return }
            if let body { state.lines[place]?.perform(body) }
            if isEmpty { state.lines[place] = nil }
        }
    }

    /// Events of a subscription were taken.
    func took(_ id: Int64, events: Int, bytes: Int) {
        tell(id) { $0.took(id, events: events, bytes: bytes) }
    }

    /// Changes the rate of a subscription.
    func update(_ id: Int64, maxRate: Int?) { tell(id) { $0.update(id, maxRate: maxRate) } }

    private func tell(_ id: Int64, _ body: @escaping @Sendable (SessionDriver) -> Void) {
        state.withLock { state in
            if let place = state.placement.line(of: id) { state.lines[place]?.perform(body) }
        }
    }
}
