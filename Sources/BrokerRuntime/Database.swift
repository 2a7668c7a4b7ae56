internal import DurableLog
internal import EventModel
internal import Logging
internal import ManagedPostgres
internal import NIOPosix
package import PostgresBridge

/// The server that holds the log: the user's, or one of our own in the data directory (doc:Log).
struct Database: Sendable {
    let configuration: PostgresConfiguration
    private let managed: ManagedServer?
    /// As they were when the broker started.
    private(set) var settings = ServerSettings()

    /// Whether no other node can be on it.
    var isPrivate: Bool { managed != nil }

    /// Brings the server up, and its schema up to date unless told not to.
    ///
    /// Blocks for a second when the managed server is new.
    static func open(
        _ settings: BrokerConfiguration, logger: Logger
    ) async throws -> Database {
        let managed =
            settings.databaseURL == nil
            ? ManagedServer(
                directory: settings.dataDirectory, binaries: settings.postgresBinaries,
                // One request may name 10,000 topics, and each takes a lock.
                extraSettings: ["max_locks_per_transaction": "512"], logger: logger)
            : nil
        let conninfo: String
        if let managed {
            conninfo = try await NIOThreadPool.singleton.runIfActive { try managed.start() }
        } else {
            conninfo = settings.databaseURL ?? ""
        }
        var database = Database(
            configuration: .broker(conninfo: conninfo, node: settings.node), managed: managed)
        do {
            try await database.migrate(applies: settings.migrates, logger: logger)
            database.settings = try await database.keep(settings.serverSettings, logger: logger)
        } catch {
            await database.close()
            throw error
        }
        return database
    }

    private func migrate(applies: Bool, logger: Logger) async throws {
        let migrator = Migrator(configuration, logger: logger)
        if applies {
            _ = try await migrator.apply()
            if let missing = try await migrator.ensurePublisher() {
                logger.notice(
                    "the role of SQL publishers is missing, and this user may not create it",
                    metadata: ["remedy": "\(missing); then start again"])
            }
        } else if let missing = try await migrator.status().first(where: { $0.applied == nil }) {
            throw BrokerError(
                .databaseUnavailable, "The database lacks \(missing.file).",
                remedy: "Run 'sluice migrate', or start without migrate = false.")
        }
    }

    /// Writes what the configuration says of the settings that the database keeps, and tells what
    /// became another one.
    private func keep(
        _ changes: ServerSettingsChanges, logger: Logger
    ) async throws(BrokerError) -> ServerSettings {
        let (before, now) = try await ServerSettingsTable(configuration).apply(changes)
        for change in Self.differences(before, now) {
            logger.notice(
                "server setting changed, for all brokers of the database",
                metadata: ["key": "\(change.key)", "from": "\(change.from)", "to": "\(change.to)"])
        }
        return now
    }

    private static func differences(
        _ before: ServerSettings, _ now: ServerSettings
    ) -> [(key: String, from: String, to: String)] {
        func texts(_ settings: ServerSettings) -> [(String, String)] {
            let topics = settings.topics
            return [
                ("create_topics", "\(settings.createsTopics)"),
                ("topics.retain_age", topics.retainAge.map(durationText) ?? "unlimited"),
                ("topics.retain_count", topics.retainCount.map { "\($0)" } ?? "unlimited"),
                (
                    "topics.retain_bytes",
                    topics.retainBytes.map { sizeText(Int($0)) } ?? "unlimited"
                ),
                ("topics.key_window", durationText(settings.keyWindow)),
                ("limits.event_bytes", sizeText(topics.eventBytesMax)),
            ]
        }
        return zip(texts(before), texts(now)).filter { $0.1 != $1.1 }
            .map { (key: $0.0, from: $0.1, to: $1.1) }
    }

    /// Shuts a managed server down; an existing one is left alone.
    func close() async {
        guard let managed else { return }
        try? await NIOThreadPool.singleton.runIfActive { managed.stop() }
    }
}

extension PostgresConfiguration {
    /// How the broker and its commands connect (doc:Log, Connections).
    package static func broker(conninfo: String, node: String) -> PostgresConfiguration {
        PostgresConfiguration(
            conninfo: conninfo, applicationName: "sluice \(node)", connectTimeout: 5)
    }
}
