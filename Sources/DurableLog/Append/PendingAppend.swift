package import EventModel

/// A request that waits for its answer, and how it is answered.
package struct PendingAppend: Sendable {
    package let request: AppendRequest
    package let completion: AppendCompletion
    package let eventCount: Int
    package let byteCount: Int
    /// A topic of it was gone and has been looked up by name once more.
    var isLookedUpAgain = false

    package init(_ request: AppendRequest, completion: @escaping AppendCompletion) {
        self.request = request
        self.completion = completion
        eventCount = request.eventCount
        byteCount = request.byteCount
    }
}
