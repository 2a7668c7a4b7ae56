internal import Synchronization

/// The maximal rate of one subscription, which may change while its iterators are open.
final class RateControl: Sendable {
    private struct Iterated {
        weak let feed: SubscriptionFeed?
    }

    private struct State {
        var maxRate: Int?
        var iterated: [Iterated] = []
    }

    private let state: Mutex<State>

    init(_ maxRate: Int?) { state = Mutex(State(maxRate: maxRate)) }

    /// Begins an iteration with the rate that holds now.
    func begin(_ feed: SubscriptionFeed) {
        state.withLock { state in
            state.iterated.removeAll { $0.feed == nil }
            state.iterated.append(Iterated(feed: feed))
            feed.begin(maxRate: state.maxRate)
        }
    }

    /// Changes it for all iterations, and for those to come.
    func set(_ maxRate: Int?) {
        state.withLock { state in
            state.maxRate = maxRate
            for iterated in state.iterated { iterated.feed?.update(maxRate: maxRate) }
        }
    }
}
