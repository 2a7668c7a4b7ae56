internal import Synchronization

/// A progress line that any task may draw.
final class SharedProgress: Sendable {
    private let progress = Mutex(Progress())

    func show(_ text: String) { progress.withLock { $0.show(text) } }

    func clear() { progress.withLock { $0.clear() } }
}
