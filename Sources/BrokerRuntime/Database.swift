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
        let database = Database(
            configuration: .broker(conninfo: conninfo, node: settings.node), managed: managed)
        do {
            try await database.migrate(applies: settings.migrates, logger: logger)
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
