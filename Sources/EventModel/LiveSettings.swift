internal import Synchronization

/// What a running broker follows of the server's settings; shared by all copies of its limits
/// (doc:Log, "Server defaults").
package final class LiveSettings: Sendable {
    private let eventBytes: Atomic<Int>

    package init(eventBytesMax: Int) { eventBytes = Atomic(eventBytesMax) }

    /// Bytes of one event's data.
    package var eventBytesMax: Int {
        get { eventBytes.load(ordering: .relaxed) }
        set { eventBytes.store(newValue, ordering: .relaxed) }
    }
}
