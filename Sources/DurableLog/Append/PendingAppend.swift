package import EventModel

/// A request that waits for its answer, and how it is answered.
///
/// A few words, so that it passes from hand to hand without a copy of what it holds.
package struct PendingAppend: Sendable {
    private final class Asked: Sendable {
        let request: AppendRequest
        let completion: AppendCompletion
        let eventCount: Int
        let byteCount: Int

        init(_ request: AppendRequest, completion: @escaping AppendCompletion) {
            self.request = request
            self.completion = completion
            eventCount = request.eventCount
            byteCount = request.byteCount
        }
    }

    /// What got in its way.
    private struct Setbacks {
        var isLookedUpAgain = false
        var refusals = 0
        var blockedSince: ContinuousClock.Instant?
        var checkedIn: String?
    }

    /// Most have none, and need no memory for it.
    private indirect enum History {
        case smooth
        case rough(Setbacks)
    }

    private let asked: Asked
    private var history = History.smooth
    /// In the order in which requests came; 0 before the queue took it in.
    package var number = 0

    package init(_ request: AppendRequest, completion: @escaping AppendCompletion) {
        asked = Asked(request, completion: completion)
    }

    package var request: AppendRequest { asked.request }
    var parts: [AppendRequest.Part] { asked.request.parts }
    /// Whose share of the queue it counts for; `nil`: nobody's.
    var publisher: String? { asked.request.publisher?.tokenID }
    package var completion: AppendCompletion { asked.completion }
    package var eventCount: Int { asked.eventCount }
    package var byteCount: Int { asked.byteCount }

    private var setbacks: Setbacks {
        get {
            switch history {
            case .smooth: Setbacks()
            case .rough(let setbacks): setbacks
            }
        }
        set { history = .rough(newValue) }
    }

    /// A topic of it was gone and has been looked up by name once more.
    var isLookedUpAgain: Bool {
        get { setbacks.isLookedUpAgain }
        set { setbacks.isLookedUpAgain = newValue }
    }

    /// How often PostgreSQL refused a batch with it.
    var refusals: Int {
        get { setbacks.refusals }
        set { setbacks.refusals = newValue }
    }

    /// When a batch with it began to wait for a lock in vain.
    var blockedSince: ContinuousClock.Instant? {
        get { setbacks.blockedSince }
        set { setbacks.blockedSince = newValue }
    }

    /// Its cursors of other incarnations hold in this one.
    var checkedIn: String? {
        get { setbacks.checkedIn }
        set { setbacks.checkedIn = newValue }
    }
}

/// What a request came to.
package struct AppendReply: Sendable {
    package var pending: PendingAppend
    package var result: Result<[AppendReceipt], BrokerError>

    package init(pending: PendingAppend, result: Result<[AppendReceipt], BrokerError>) {
        self.pending = pending
        self.result = result
    }

    /// Answers the publisher; not under a lock.
    ///
    /// Whether a refusal's events are in the log is said here, unless it is not known.
    package func send() {
        switch result {
        case .success: pending.completion(result)
        case .failure(let error): pending.completion(.failure(error.ofPublish))
        }
    }
}
