internal import EventModel
internal import PostgresBridge

/// What the log's connections set on the server, each setting once (doc:Log, "Connections").
enum ConnectionSettings {
    typealias Setting = (String, String)

    /// What every connection has.
    static let common: [Setting] = [
        // Names come from `sluice` and the system alone: in any other schema, somebody could plant
        // a function that matches a call better and runs as the broker.
        ("search_path", "pg_catalog, pg_temp"),
        ("synchronous_commit", "on"),
        ("default_transaction_isolation", "read committed"),
        ("plan_cache_mode", "force_generic_plan"),
        // A client that vanished must not keep its locks.
        ("tcp_keepalives_idle", PostgresConfiguration.Keepalive.idle),
        ("tcp_keepalives_interval", PostgresConfiguration.Keepalive.interval),
        ("tcp_keepalives_count", PostgresConfiguration.Keepalive.count),
        ("tcp_user_timeout", PostgresConfiguration.Keepalive.userTimeout),
    ]

    /// Besides, for appends, which wait for the lock of a topic for `lockPatience` only.
    static let append = [
        lockTimeout(LogContext.lockPatience),
        // An append is never cancelled: a cancelled wait for a synchronous standby commits.
        ("statement_timeout", "0"),
    ]

    /// Besides, for whoever reads.
    static func reader(_ limits: Limits) -> [Setting] { [lockTimeout(limits.lockTimeout)] }

    /// Besides, for housekeeping.
    static func housekeeper(_ limits: Limits) -> [Setting] {
        [lockTimeout(limits.lockTimeout), ("statement_timeout", "60s")]
    }

    /// Besides, for a migration: whoever holds the lock of a table for long must not make every
    /// publisher queue behind a step.
    static let migration = [lockTimeout(.seconds(60))]

    private static func lockTimeout(_ duration: Duration) -> Setting {
        ("lock_timeout", "\(Int(duration / .milliseconds(1)))ms")
    }
}

extension PostgresConfiguration {
    /// For one kind of the log's connections; what the configuration sets itself wins.
    ///
    /// - Parameters:
    ///   - role: Shown in `pg_stat_activity`, after the application's name.
    ///   - settings: Besides those that every connection has.
    /// - Returns: The configuration to connect with.
    func connection(
        role: String? = nil, _ settings: [(String, String)] = []
    ) -> PostgresConfiguration {
        var configuration = self
        if let role { configuration.applicationName += " \(role)" }
        configuration.settings = ConnectionSettings.common + settings + configuration.settings
        return configuration
    }
}
