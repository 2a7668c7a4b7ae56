package import EventModel
package import Logging
package import PostgresBridge
internal import Synchronization

/// Brings a database's schema to this program's.
///
/// Each step is a transaction under an advisory lock, recorded with its checksum in
/// `sluice.migrations`; several nodes may start at once, and whoever comes second finds the work
/// done.
package struct Migrator: Sendable {
    /// A step and whether the database has it.
    package struct Status: Sendable {
        package var migration: Migration
        /// `nil`: not yet.
        package var applied: Timestamp?
    }

    private let configuration: PostgresConfiguration
    private let logger: Logger

    package init(_ configuration: PostgresConfiguration, logger: Logger) {
        var configuration = configuration
        configuration.applicationName += " migrate"
        // Whoever holds the lock of a table for long must not make every publisher queue behind a
        // step.
        configuration.settings.append(("lock_timeout", "60s"))
        configuration.settings.append(LogContext.searchPath)
        self.configuration = configuration
        self.logger = logger
    }

    /// Every step of this program, and when it was applied.
    ///
    /// - Throws: `database_unavailable`; also when the database is newer than this program, or a
    ///   step was changed.
    package func status() async throws(BrokerError) -> [Status] {
        try await onThread { connection throws(PostgresError) in
            let applied = try MigrationRecord.read(on: connection)
            return applied.status()
        }
    }

    /// Applies what is missing.
    ///
    /// - Returns: The steps that this call applied.
    /// - Throws: As `status`; nothing of a step that failed remains.
    package func apply() async throws(BrokerError) -> [Migration] {
        try await onThread { connection throws(PostgresError) in
            var applied: [Migration] = []
            for migration in Migration.all {
                let outcome = try MigrationRecord.apply(migration, on: connection)
                guard case .success(let isNew) = outcome else { return outcome.map { _ in [] } }
                if isNew {
                    logger.notice("schema migrated", metadata: ["migration": "\(migration.file)"])
                    applied.append(migration)
                }
            }
            return .success(applied)
        }
    }

    /// libpq blocks, so it gets a thread of its own; the task's cancellation ends it.
    private func onThread<Value: Sendable>(
        _ body:
            @escaping @Sendable (PostgresConnection) throws(PostgresError) -> Result<
                Value, BrokerError
            >
    ) async throws(BrokerError) -> Value {
        let configuration = configuration
        let wish = Wish()
        let result: Result<Value, BrokerError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                _ = PostgresThread(name: "sluice-migrate") {
                    continuation.resume(returning: Self.run(configuration, wish, body))
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
        _ body: (PostgresConnection) throws(PostgresError) -> Result<Value, BrokerError>
    ) -> Result<Value, BrokerError> {
        do throws(PostgresError) {
            let connection = try PostgresConnection(
                configuration, while: { !wish.isCancelled.withLock { $0 } })
            defer { connection.close() }
            return try body(connection)
        } catch {
            return .failure(
                BrokerError(.databaseUnavailable, "The schema cannot be read: \(error)."))
        }
    }

    /// A log does not work on another schema than its own.
    static func requireCurrentSchema(on connection: PostgresConnection) throws(PostgresError) {
        let record = try MigrationRecord.read(on: connection)
        switch record.status() {
        case .failure(let error):
            throw PostgresError(
                kind: .connectionFailed, message: error.message, hint: error.remedy)
        case .success(let status):
            guard let missing = status.first(where: { $0.applied == nil }) else { return }
            throw PostgresError(
                kind: .connectionFailed,
                message: "the database lacks migration \(missing.migration.file)",
                hint: "Run 'sluice migrate'.")
        }
    }
}
