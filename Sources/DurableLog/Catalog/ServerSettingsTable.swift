package import EventModel
package import PostgresBridge

/// The row of `sluice.settings` (doc:Log, "Server defaults").
package struct ServerSettingsTable: Sendable {
    private let configuration: PostgresConfiguration

    /// Connects when it is asked something.
    package init(_ configuration: PostgresConfiguration) {
        self.configuration = configuration.connection(
            role: "settings", ConnectionSettings.migration)
    }

    /// Writes what is said, and leaves the rest as it is; the row is not touched when nothing
    /// changes.
    ///
    /// - Returns: The settings as they were and as they are now.
    /// - Throws: `database_unavailable`.
    package func apply(
        _ changes: ServerSettingsChanges
    ) async throws(BrokerError) -> (before: ServerSettings, now: ServerSettings) {
        do throws(PostgresError) {
            return try await OneConnection.run(configuration, thread: "sluice-settings") {
                connection throws(PostgresError) in
                guard changes != ServerSettingsChanges() else {
                    let settings = try Self.read("", connection)
                    return (settings, settings)
                }
                _ = try connection.query("BEGIN")
                let before = try Self.read("FOR UPDATE", connection)
                let now = changes.applied(to: before)
                if now != before { try Self.write(now, connection) }
                _ = try connection.query("COMMIT", timeout: LogContext.controlTimeout)
                return (before, now)
            }
        } catch {
            throw LogContext.unavailable("The server's settings cannot be read: \(error).")
        }
    }

    private static func read(
        _ lock: String, _ connection: PostgresConnection
    ) throws(PostgresError) -> ServerSettings {
        let result = try connection.query(
            """
            SELECT create_topics, event_bytes, (extract(epoch FROM key_window) * 1000000)::bigint,
              (extract(epoch FROM default_retain_age) * 1000000)::bigint, default_retain_count,
              default_retain_bytes
            FROM sluice.settings \(lock)
            """, timeout: LogContext.controlTimeout)
        func number(_ column: Int) -> Int64? {
            result.isNull(0, column) ? nil : result.int8(0, column)
        }
        var settings = ServerSettings()
        settings.createsTopics = result.bool(0, 0)
        settings.topics.eventBytesMax = Int(result.int8(0, 1))
        settings.keyWindow = .microseconds(result.int8(0, 2))
        settings.topics.retainAge = number(3).map { .microseconds($0) }
        settings.topics.retainCount = number(4)
        settings.topics.retainBytes = number(5)
        return settings
    }

    private static func write(
        _ settings: ServerSettings, _ connection: PostgresConnection
    ) throws(PostgresError) {
        let topics = settings.topics
        _ = try connection.query(
            """
            UPDATE sluice.settings SET create_topics = $1::boolean, event_bytes = $2::int,
              key_window = $3::text::interval, default_retain_age = $4::text::interval,
              default_retain_count = $5::bigint, default_retain_bytes = $6::bigint
            """,
            [
                .bool(settings.createsTopics), .int4(Int32(topics.eventBytesMax)),
                .text(intervalText(settings.keyWindow)),
                topics.retainAge.map { .text(intervalText($0)) } ?? .null,
                topics.retainCount.map { .int8($0) } ?? .null,
                topics.retainBytes.map { .int8($0) } ?? .null,
            ], timeout: LogContext.controlTimeout)
    }
}

/// PostgreSQL's `hours:minutes:seconds`: its days are not of 24 hours everywhere, and before
/// version 15 it takes no more than 2^31 of one unit.
func intervalText(_ duration: Duration) -> String {
    let (seconds, fraction) = duration.components
    let micros = fraction / 1_000_000_000_000
    let digits = String(1_000_000 + micros).dropFirst()
    return "\(seconds / 3600):\(seconds / 60 % 60):\(seconds % 60).\(digits)"
}
