internal import PostgresBridge
internal import Synchronization

/// One connection for one piece of work.
enum OneConnection {
    /// Works on a thread of its own, as libpq blocks; the task's cancellation ends its waiting.
    ///
    /// A transaction that the work leaves open ends with the connection.
    static func run<Value: Sendable>(
        _ configuration: PostgresConfiguration, thread: String,
        _ body: @escaping @Sendable (PostgresConnection) throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        let wish = Wish()
        let result: Result<Value, PostgresError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                _ = PostgresThread(name: thread) {
                    continuation.resume(returning: run(configuration, wish, body))
                }
            }
        } onCancel: {
            wish.isCancelled.withLock { $0 = true }
        }
        return try result.get()
    }

    private final class Wish: Sendable {
        let isCancelled = Mutex(false)
    }

    private static func run<Value>(
        _ configuration: PostgresConfiguration, _ wish: Wish,
        _ body: (PostgresConnection) throws(PostgresError) -> Value
    ) -> Result<Value, PostgresError> {
        do throws(PostgresError) {
            let connection = try PostgresConnection(
                configuration, while: { !wish.isCancelled.withLock { $0 } })
            defer { connection.close() }
            return .success(try body(connection))
        } catch {
            return .failure(error)
        }
    }
}
