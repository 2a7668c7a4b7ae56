package import EventModel
package import Logging
package import PostgresBridge

/// Brings a database's schema to this program's.
///
/// What is missing is one transaction under an advisory lock: the numbered steps, and then the
/// functions whose text changed (all of them after a step). Both are recorded with their checksums,
/// in `sluice.migrations` and `sluice.functions`; several nodes may start at once, and whoever
/// comes second finds the work done.
package struct Migrator: Sendable {
    /// A step or a function, and whether the database has it.
    package struct Status: Sendable {
        package var file: String
        /// `nil`: not yet; of a function, also when it was made with another text.
        package var applied: Timestamp?
    }

    private let configuration: PostgresConfiguration
    private let logger: Logger

    package init(_ configuration: PostgresConfiguration, logger: Logger) {
        self.configuration = configuration.connection(
            role: "migrate", ConnectionSettings.migration)
        self.logger = logger
    }

    /// Every step and function of this program, and when it was applied.
    ///
    /// - Throws: `database_unavailable`; also when the database is newer than this program, or a
    ///   step was changed.
    package func status() async throws(BrokerError) -> [Status] {
        try await onThread { connection throws(PostgresError) in
            let applied = try MigrationRecord.read(on: connection)
            return applied.status()
        }
    }

    /// Applies what is missing, all of it or nothing.
    ///
    /// - Returns: The files that this call applied.
    /// - Throws: As `status`.
    package func apply() async throws(BrokerError) -> [String] {
        try await onThread { connection throws(PostgresError) in
            let outcome = try MigrationRecord.apply(on: connection)
            if case .success(let files) = outcome, let last = files.last {
                logger.notice(
                    "schema migrated", metadata: ["files": "\(files.count)", "last": "\(last)"])
            }
            return outcome
        }
    }

    /// Sees to the role of SQL publishers, which a migration may not be allowed to create (doc:SQL).
    ///
    /// - Returns: The statement that somebody with more rights has to run first; `nil` when all is
    ///   well.
    /// - Throws: `database_unavailable`.
    package func ensurePublisher() async throws(BrokerError) -> String? {
        try await onThread { connection throws(PostgresError) in
            let result = try connection.query("SELECT sluice.ensure_publisher()")
            return .success(result.isNull(0, 0) ? nil : result.text(0, 0))
        }
    }

    private func onThread<Value: Sendable>(
        _ body:
            @escaping @Sendable (PostgresConnection) throws(PostgresError) -> Result<
                Value, BrokerError
            >
    ) async throws(BrokerError) -> Value {
        let result: Result<Value, BrokerError>
        do throws(PostgresError) {
            result = try await OneConnection.run(configuration, thread: "sluice-migrate", body)
        } catch {
            throw BrokerError(.databaseUnavailable, "The schema cannot be read: \(error).")
        }
        return try result.get()
    }

    /// A log does not work on another schema than its own.
    package static func requireCurrentSchema(on connection: PostgresConnection)
        throws(PostgresError)
    {
        let record = try MigrationRecord.read(on: connection)
        switch record.status() {
        case .failure(let error):
            throw PostgresError(
                kind: .connectionFailed, message: error.message, hint: error.remedy)
        case .success(let status):
            guard let missing = status.first(where: { $0.applied == nil }) else { return }
            throw PostgresError(
                kind: .connectionFailed,
                message: "the database lacks \(missing.file)",
                hint: "Run 'sluice migrate'.")
        }
    }
}
