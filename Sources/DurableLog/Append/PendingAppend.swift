package import EventModel

/// A request that waits for its answer, and how it is answered.
package struct PendingAppend: Sendable {
    package let request: AppendRequest
    package let completion: AppendCompletion
    package let eventCount: Int
    package let byteCount: Int
    /// In the order in which requests came; 0 before the queue took it in.
    package var number = 0
    /// A topic of it was gone and has been looked up by name once more.
    var isLookedUpAgain = false
    /// How often PostgreSQL refused a batch with it.
    var refusals = 0
    /// When a batch with it began to wait for a lock in vain.
    var blockedSince: ContinuousClock.Instant?
    /// Its cursors of other incarnations hold in this one.
    var checkedIn: String?

    package init(_ request: AppendRequest, completion: @escaping AppendCompletion) {
        self.request = request
        self.completion = completion
        eventCount = request.eventCount
        byteCount = request.byteCount
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
    package func send() { pending.completion(result.mapError(\.ofPublish)) }
}
