internal import EventModel
internal import Logging
internal import PostgresBridge
internal import Synchronization

/// Keeps the tail up to date: the LISTEN connection with its thread, and the notes that others
/// leave for it.
final class LogFollower: Sendable {
    enum Note: Sendable {
        case follow(FollowRequest)
        case unfollow([TopicName])
    }

    private struct Inbox {
        var notes: [Note] = []
        var isStopped = false
        var isListening = false
        /// A topic was created here: other parts of this node want to know it at once.
        var isCatalogDirty = false
    }

    let context: LogContext
    let tail: Tail
    let wakeup = PostgresWakeup()
    private let inbox = Mutex(Inbox())
    private let thread = Mutex<PostgresThread?>(nil)

    init(_ context: LogContext, _ tail: Tail) {
        self.context = context
        self.tail = tail
    }

    func start() {
        let thread = PostgresThread(name: "sluice-follow") { [self] in
            FollowerThread(self).run()
        }
        self.thread.withLock { $0 = thread }
    }

    /// Ends the thread; requests that wait are refused.
    func stop() {
        inbox.withLock { $0.isStopped = true }
        wakeup.signal()
        thread.withLock { $0 }?.join()
        for case .follow(let request) in takeNotes() {
            request.completion(.failure(LogContext.unavailable("The log is closed.")))
        }
    }

    func leave(_ note: Note) {
        inbox.withLock { $0.notes.append(note) }
        wakeup.signal()
    }

    /// The catalog has changed here.
    func catalogChanged() {
        inbox.withLock { $0.isCatalogDirty = true }
        wakeup.signal()
    }

    func takeNotes() -> [Note] {
        inbox.withLock { inbox in
            defer { inbox.notes = [] }
            return inbox.notes
        }
    }

    /// Whether the catalog has changed here since this was asked last.
    func takeCatalogChange() -> Bool {
        inbox.withLock { inbox in
            defer { inbox.isCatalogDirty = false }
            return inbox.isCatalogDirty
        }
    }

    var isStopped: Bool { inbox.withLock { $0.isStopped } }

    /// Connected, listening, and up to date once.
    var isListening: Bool {
        get { inbox.withLock { $0.isListening } }
        set { inbox.withLock { $0.isListening = newValue } }
    }
}
