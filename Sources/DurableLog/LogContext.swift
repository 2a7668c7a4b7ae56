internal import EventModel
internal import Logging
internal import PostgresBridge
internal import Synchronization

/// What the parts of one node's log share.
final class LogContext: Sendable {
    /// How long a statement of the control path may take: far more than any needs, so that a
    /// connection whose server hangs is given up.
    static let controlTimeout = Duration.seconds(30)
    /// How long a batch waits for the lock of one of its topics: meanwhile the other topics wait,
    /// too, and several nodes that append to one topic wait for each other's commits.
    static let lockPatience = Duration.milliseconds(250)
    /// Seconds for each address of a server, so that a silent one does not keep its neighbour
    /// waiting.
    static let connectTimeout = 3

    let configuration: PostgresConfiguration
    /// For LISTEN, which a pooler in transaction mode cannot do.
    ///
    /// `nil`: the configuration's, which then must not lead to one.
    let listenConninfo: String?
    let limits: Limits
    let logger: Logger
    let incarnation = LogIncarnation()
    let catalog = Catalog()
    let appendedTopics = AppendedTopics()
    private let createsTopicsNow: Atomic<Bool>
    /// Of several servers, where the log was found last: the others may be silent, or stale.
    private let firstHost = Atomic(0)

    init(
        configuration: PostgresConfiguration, listenConninfo: String?, limits: Limits,
        createsTopics: Bool, logger: Logger
    ) {
        self.configuration = configuration
        self.listenConninfo = listenConninfo
        self.limits = limits
        createsTopicsNow = Atomic(createsTopics)
        self.logger = logger
    }

    /// Whether an append creates topics; it follows the database, like `limits.eventBytesMax`.
    var createsTopics: Bool { createsTopicsNow.load(ordering: .relaxed) }

    /// What the database says holds for every broker.
    func take(createsTopics: Bool, eventBytesMax: Int) {
        if createsTopicsNow.exchange(createsTopics, ordering: .relaxed) != createsTopics {
            logger.notice(
                "server setting changed",
                metadata: ["key": "create_topics", "to": "\(createsTopics)"])
        }
        // What this broker's bodies cannot hold could not be sent to it.
        let bytes = min(eventBytesMax, limits.bodyBytesMax)
        guard bytes != limits.eventBytesMax else { return }
        limits.live.eventBytesMax = bytes
        logger.notice(
            "server setting changed", metadata: ["key": "limits.event_bytes", "to": "\(bytes)"])
        if bytes < eventBytesMax {
            logger.warning(
                "limits.body_bytes is below the database's event_bytes, and holds here",
                metadata: ["event_bytes": "\(eventBytesMax)", "body_bytes": "\(bytes)"])
        }
    }

    /// Connects and enters the incarnation, all within the configuration's `setUpTimeout`.
    ///
    /// - Parameters:
    ///   - role: Shown in `pg_stat_activity`, after the application's name.
    ///   - settings: Besides those that every connection has.
    ///   - conninfo: Instead of the configuration's.
    ///   - goesOn: Asked every 100 ms while this or a later query waits; `false` ends it.
    ///   - setUp: What else the role needs before the connection is of use.
    /// - Returns: The connection and the incarnation that it entered.
    /// - Throws: `connectionFailed`.
    func connect(
        role: String, settings: [(String, String)] = [], conninfo: String? = nil,
        while goesOn: (() -> Bool)? = nil,
        setUp: (PostgresConnection) throws(PostgresError) -> Void = { _ in }
    ) throws(PostgresError) -> (PostgresConnection, incarnation: String) {
        var configuration = configuration.connection(role: role, settings)
        configuration.conninfo = conninfo ?? configuration.conninfo
        configuration.connectTimeout = min(configuration.connectTimeout, Self.connectTimeout)
        configuration.firstHost = firstHost.load(ordering: .relaxed)
        var entered = ""
        let connection = try PostgresConnection(configuration, while: goesOn) {
            connection throws(PostgresError) in
            entered = try enter(connection)
            catalog.begin(incarnation.current ?? entered)
            try setUp(connection)
        }
        return (connection, entered)
    }

    /// Enters the incarnation; of several servers, the next is asked first when this one is a stale
    /// primary (SL002) or a standby (SL003).
    private func enter(_ connection: PostgresConnection) throws(PostgresError) -> String {
        do throws(PostgresError) {
            let entered = try incarnation.enter(connection)
            firstHost.store(connection.hostNumber, ordering: .relaxed)
            return entered
        } catch {
            if ["SL002", "SL003"].contains(error.sqlState) {
                firstHost.store(connection.hostNumber + 1, ordering: .relaxed)
            }
            throw error
        }
    }

    /// `database_unavailable`; nothing of the request has been written.
    static func unavailable(_ what: String) -> BrokerError {
        BrokerError(.databaseUnavailable, what)
    }

    static var unreachable: BrokerError { unavailable("The database cannot be reached.") }
}

/// Doubling pauses between attempts to connect: 50 ms to 2 s.
struct ReconnectPause {
    private static let first = Duration.milliseconds(50)
    private static let longest = Duration.seconds(2)
    private var current = first

    mutating func next() -> Duration {
        defer { current = min(current * 2, Self.longest) }
        return current
    }

    mutating func reset() { current = Self.first }
}

extension PostgresError {
    /// Does nothing but a new connection help? Lost, shut down (57P), read-only after a failover,
    /// another incarnation, a stale primary or a standby.
    var needsNewConnection: Bool {
        guard kind == .query, let sqlState else { return true }
        return sqlState.hasPrefix("57P") || sqlState.hasPrefix("08") || sqlState == "25006"
            || ["SL001", "SL002", "SL003"].contains(sqlState)
    }

    /// May the same statement succeed later? Somebody held a lock (55P03) or cancelled it (57014),
    /// or the server was out of something (53).
    var isPassing: Bool {
        guard let sqlState else { return false }
        return sqlState == "55P03" || sqlState == "57014" || sqlState.hasPrefix("53")
    }
}
