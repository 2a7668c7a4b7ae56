internal import Synchronization

/// The topics that this node appended to since retention asked last: it looks at no others, unless
/// their time has come.
final class AppendedTopics: Sendable {
    private let ids = Mutex<Set<Int32>>([])

    func insert(_ topics: some Sequence<Int32>) { ids.withLock { $0.formUnion(topics) } }

    /// All of them, once.
    func take() -> Set<Int32> {
        ids.withLock { ids in
            defer { ids = [] }
            return ids
        }
    }
}
