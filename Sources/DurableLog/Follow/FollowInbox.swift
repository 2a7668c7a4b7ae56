internal import EventModel
internal import Logging
internal import PostgresBridge
internal import Synchronization

/// Keeps the followed topics up to date: the LISTEN connection with its thread, and the notes that
/// others leave for it.
final class FollowInbox: Sendable {
    enum Note: Sendable {
        case follow(FollowRequest)
        case unfollow([TopicName])
        case unfollowPatterns([TopicPattern])
    }

    private struct State {
        var notes: [Note] = []
        var isStopped = false
        var isListening = false
        /// A topic was created here: other parts of this node want to know it at once.
        var isCatalogDirty = false
    }

    let context: LogContext
    let followed: FollowedTopics
    /// Hears of SQL publishers that wake the drain: only this connection can LISTEN.
    let housekeeper: Housekeeper
    let watch: PartWatch
    let wakeup = PostgresWakeup()
    private let state = Mutex(State())
    private let thread = Mutex<PostgresThread?>(nil)

    init(_ context: LogContext, _ followed: FollowedTopics, _ housekeeper: Housekeeper) {
        self.context = context
        self.followed = followed
        self.housekeeper = housekeeper
        watch = PartWatch("follow", logger: context.logger)
    }

    func start() {
        let thread = PostgresThread(name: "sluice-follow") { [self] in
            FollowThread(self).run()
        }
        self.thread.withLock { $0 = thread }
    }

    /// Ends the thread; requests that wait are refused.
    func stop() {
        state.withLock { $0.isStopped = true }
        wakeup.signal()
        thread.withLock { $0 }?.join()
        for case .follow(let request) in takeNotes() {
            request.completion(.failure(LogContext.unavailable("The log is closed.")))
        }
    }

    func leave(_ note: Note) {
        state.withLock { $0.notes.append(note) }
        wakeup.signal()
    }

    /// The catalog has changed here.
    func catalogChanged() {
        state.withLock { $0.isCatalogDirty = true }
        wakeup.signal()
    }

    func takeNotes() -> [Note] {
        state.withLock { state in
            defer { state.notes = [] }
            return state.notes
        }
    }

    /// Whether the catalog has changed here since this was asked last.
    func takeCatalogChange() -> Bool {
        state.withLock { state in
            defer { state.isCatalogDirty = false }
            return state.isCatalogDirty
        }
    }

    var isStopped: Bool { state.withLock { $0.isStopped } }

    /// Connected, listening, and up to date once.
    var isListening: Bool {
        get { state.withLock { $0.isListening } }
        set { state.withLock { $0.isListening = newValue } }
    }
}
