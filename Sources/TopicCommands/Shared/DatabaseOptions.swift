internal import ArgumentParser
internal import BrokerRuntime
internal import DurableLog
internal import Logging

/// Which database a command works on directly: an existing server, or the managed one of a data
/// directory.
struct DatabaseOptions: ParsableArguments {
    @Option(
        name: .customLong("database-url"),
        help: ArgumentHelp(
            "libpq connection string of the server (SLUICE_DATABASE_URL).", valueName: "conninfo"))
    var databaseURL: String?

    @Option(
        help: ArgumentHelp(
            "The broker's data directory, for its managed database (SLUICE_DATA_DIR).",
            valueName: "directory"))
    var dataDir: String?

    @Option(
        help: ArgumentHelp("The broker's configuration file (SLUICE_CONFIG).", valueName: "file"))
    var config: String?

    /// The connection string and the node's name, read as `serve` reads them.
    ///
    /// When nothing says which data directory, it is the one of the broker that wrote the
    /// connection file.
    func location(
        host: HostFacts = .current(),
        file: (String) -> ConnectionFile? = ConnectionFile.read(path:)
    ) throws -> (conninfo: String, node: String) {
        var flags: [String] = []
        if let databaseURL { flags += ["--database-url", databaseURL] }
        if let dataDir { flags += ["--data-dir", dataDir] }
        var loader = ConfigurationLoader(host: host, readFile: configurationText(path:))
        let configuration = try loader.load(flags: flags, file: config)
        // A data directory on the command line is nearer than a URL in the environment.
        if let url = configuration.databaseURL, dataDir == nil || databaseURL != nil {
            return (url, configuration.node)
        }
        let isSaid = configuration.sources["data_dir"] != nil
        let known = isSaid ? nil : host.connectionFile.flatMap(file)?.dataDirectory
        return (
            try ManagedConnection.conninfo(
                dataDirectory: known ?? configuration.dataDirectory), configuration.node
        )
    }

    /// The tokens of the database.
    func tokens() throws -> TokenDatabase {
        let (conninfo, node) = try location()
        return TokenDatabase(.broker(conninfo: conninfo, node: node))
    }

    /// The refused events of the database's SQL publishers.
    func outbox() throws -> OutboxDatabase {
        let (conninfo, node) = try location()
        return OutboxDatabase(.broker(conninfo: conninfo, node: node))
    }

    /// Says nothing that the command's own errors do not say.
    static func logger() -> Logger {
        var logger = Logger(label: "sluice", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = .critical
        return logger
    }
}
