internal import CLibPQ
internal import Glibc
internal import Synchronization

/// A thread for blocking work, named as `ps -T` and debuggers show it.
package final class PostgresThread: Sendable {
    /// nil once joined.
    private let handle: Mutex<pthread_t?>

    /// Starts `body` at once.
    ///
    /// - Parameters:
    ///   - name: Linux keeps the first 15 bytes.
    ///   - body: What the thread does; it ends with it.
    package init(name: String, _ body: @escaping @Sendable () -> Void) {
        let task = Task(name: String(decoding: name.utf8.prefix(15), as: UTF8.self), body: body)
        var thread = pthread_t()
        // Safe: the retained task is released once, by the thread that takes it.
        let status = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let task = Unmanaged<Task>.fromOpaque(context).takeRetainedValue()
                sluice_name_thread(task.name)
                task.body()
                return nil
            }, Unmanaged.passRetained(task).toOpaque())
        precondition(status == 0, "pthread_create: error \(status); raise the limit of threads")
        handle = Mutex(thread)
    }

    deinit {
        handle.withLock { handle in
            // Nobody can join any more, so the thread cleans up after itself.
            if let thread = handle { pthread_detach(thread) }
        }
    }

    /// Waits for the end of the thread; returns at once when it was joined before.
    ///
    /// Not from the thread itself.
    package func join() {
        handle.withLock { handle in
            guard let thread = handle else { return }
            precondition(thread != pthread_self(), "bug: a thread joins itself")
            pthread_join(thread, nil)
            handle = nil
        }
    }

    private final class Task: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}
