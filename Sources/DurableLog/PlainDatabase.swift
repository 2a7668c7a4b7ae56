internal import EventModel
internal import PostgresBridge

/// A database for whoever manages something in it and needs nothing else of the log: one plain
/// connection a question, on a thread of its own, as libpq blocks.
struct PlainDatabase: Sendable {
    private let configuration: PostgresConfiguration
    private let lacking: String

    /// Connects when it is asked something.
    ///
    /// - Parameters:
    ///   - configuration: Of the log's database.
    ///   - lacking: What a database has not that was not migrated, for the error.
    init(_ configuration: PostgresConfiguration, lacking: String) {
        self.configuration = configuration.connection()
        self.lacking = lacking
    }

    /// Asks on a connection; a transaction that the question leaves open is rolled back.
    ///
    /// - Throws: `database_unavailable` (retry).
    func answer<Value: Sendable>(
        _ question: @escaping @Sendable (PostgresConnection) throws(PostgresError) -> Value
    ) async throws(BrokerError) -> Value {
        let configuration = configuration
        let result: Result<Value, PostgresError> = await withCheckedContinuation { continuation in
            _ = PostgresThread(name: "sluice-question") {
                do throws(PostgresError) {
                    let connection = try PostgresConnection(configuration)
                    // An open transaction ends with it.
                    defer { connection.close() }
                    continuation.resume(returning: .success(try question(connection)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        do throws(PostgresError) { return try result.get() } catch { throw refusal(error) }
    }

    private func refusal(_ error: PostgresError) -> BrokerError {
        // No such table, function or schema.
        if ["42P01", "42883", "3F000"].contains(error.sqlState) {
            return BrokerError(
                .databaseUnavailable, "The database has no \(lacking) yet.",
                remedy: "Run 'sluice migrate', or start the broker, which does the same.")
        }
        return BrokerError(.databaseUnavailable, "The database does not answer: \(error).")
    }
}
