internal import CLibPQ
internal import Glibc

/// A connection to PostgreSQL through libpq, confined to one thread.
///
/// Every call that waits blocks that thread, so it must be one of our own (`PostgresThread`),
/// never an event loop or a thread of the concurrency pool. After `connectionLost` or `timedOut`
/// nothing but `close` is of use.
package final class PostgresConnection {
    /// nil once closed.
    // Safe: a PGconn may be used by one thread at a time (manual 34.20); this class is not
    // Sendable, so its owner's thread is that one.
    private var connection: OpaquePointer?
    private let notices: NoticeReceiver
    /// How long calls may wait that say nothing else.
    private(set) var patience: Patience
    /// Commands and syncs whose end has not been read yet.
    var outstanding = 0
    /// Notifications that were read while something else was waited for.
    var received: [PostgresNotification] = []
    /// What a pooler makes necessary; `nil` without one.
    var pooled: PooledSession?

    /// Which of the configuration's hosts it is connected to, counted as `conninfo` lists them.
    package let hostNumber: Int
    package let backendPID: Int32
    /// 150018 is 15.18 (PQserverVersion).
    package let serverVersion: Int

    /// Connects, applies the settings and sets up, all of it within `setUpTimeout`.
    ///
    /// - Parameters:
    ///   - configuration: Where and how.
    ///   - goesOn: Asked every 100 ms while this, or later a query, waits; `false` ends the wait
    ///     and the connection.
    ///   - setUp: What else belongs to a connection that is of use, such as prepared statements.
    /// - Throws: `connectionFailed`.
    package init(
        _ configuration: PostgresConfiguration, while goesOn: (() -> Bool)? = nil,
        setUp: (PostgresConnection) throws(PostgresError) -> Void = { _ in }
    ) throws(PostgresError) {
        let conninfo = configuration.conninfo
        let isReadable =
            !PostgresConfiguration.isConnectionString(conninfo)
            || PostgresConfiguration.parse(conninfo) != nil
        guard isReadable else {
            throw PostgresError(
                kind: .connectionFailed, message: "the connection string cannot be read",
                hint: "Write a PostgreSQL URI (percent-encode special characters) or keywords.")
        }
        patience = Patience(deadline: .now + configuration.setUpTimeout, goesOn: goesOn)
        let connected = try ConnectAttempt(configuration).connected(patience)
        connection = connected.handle
        notices = connected.notices
        hostNumber = PostgresHosts(conninfo).number(
            host: String(cString: PQhost(connected.handle)),
            port: String(cString: PQport(connected.handle)))
        backendPID = PQbackendPID(connected.handle)
        serverVersion = Int(PQserverVersion(connected.handle))
        do {
            pooled = try isPooled() ? PooledSession(settings: configuration.settings) : nil
            if pooled == nil { try apply(configuration.settings) }
            try setUp(self)
        } catch {
            var failure = error
            failure.kind = .connectionFailed
            throw failure
        }
        patience.deadline = nil
    }

    private func apply(_ settings: [(String, String)]) throws(PostgresError) {
        guard let statement = SettingsStatement(settings, isLocal: false) else { return }
        _ = try query(statement.sql, statement.parameters)
    }

    deinit { close() }

    /// Ends the connection; harmless when repeated.
    package func close() {
        guard let connection else { return }
        PQfinish(connection)
        self.connection = nil
        outstanding = 0
    }

    package var isClosed: Bool { connection == nil }

    /// Whether no transaction is open and no command is running.
    package var isTransactionIdle: Bool {
        connection.map { PQtransactionStatus($0) == PQTRANS_IDLE } ?? false
    }

    /// Gets the server's notices and warnings; without it they are dropped.
    package var onNotice: ((PostgresNotice) -> Void)? {
        get { notices.handler }
        set { notices.handler = newValue }
    }

    /// libpq's handle; throws when the connection was closed.
    func open() throws(PostgresError) -> OpaquePointer {
        guard let connection else {
            throw PostgresError(kind: .connectionLost, message: "the connection was closed")
        }
        return connection
    }

    /// libpq's last message, as the loss that it is or as a refused call on a sound connection.
    func failure(_ handle: OpaquePointer) -> PostgresError {
        PostgresError(
            kind: PQstatus(handle) == CONNECTION_OK ? .query : .connectionLost,
            message: PostgresError.trimmed(PQerrorMessage(handle)))
    }

    /// Cancels what is running, as far as that works, and closes.
    ///
    /// The server does not notice a closed socket while a statement runs or waits for a lock.
    func abandon() {
        guard let connection else { return }
        if let cancel = PQgetCancel(connection) {
            CancelRequest(cancel).send()
        }
        close()
    }
}

@available(*, unavailable) extension PostgresConnection: Sendable {}

extension PostgresConnection {
    /// Asks whether a server accepts connections, without logging in (PQpingParams).
    package static func ping(_ conninfo: String) -> PostgresPing {
        let status = CStrings.with(["connect_timeout", "dbname"]) { keywords in
            CStrings.with(["3", conninfo]) { values in
                PQpingParams(keywords, values, 1)
            }
        }
        return switch status {
        case PQPING_OK: .ok
        case PQPING_REJECT: .rejecting
        case PQPING_NO_RESPONSE: .noResponse
        default: .noAttempt
        }
    }
}

/// What a server answered to `PostgresConnection.ping`.
package enum PostgresPing: Sendable {
    /// It accepts connections.
    case ok
    /// It is there, but starting, recovering, or shutting down.
    case rejecting
    case noResponse
    /// The connection string is wrong, so nobody was asked.
    case noAttempt
}

/// A cancel request on its way, on a thread of its own: it opens a connection, which may block.
// Safe: a PGcancel is independent of its connection and used by one thread (manual 34.7); it is
// handed over to that thread, which frees it.
private struct CancelRequest: @unchecked Sendable {
    private let cancel: OpaquePointer

    init(_ cancel: OpaquePointer) { self.cancel = cancel }

    func send() {
        _ = PostgresThread(name: "sluice-pg-cancel") {
            var message = [CChar](repeating: 0, count: 256)
            _ = PQcancel(cancel, &message, Int32(message.count))
            PQfreeCancel(cancel)
        }
    }
}

/// Arrays of C strings as libpq takes them, ended by NULL.
enum CStrings {
    static func with<Value>(
        _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Value
    ) -> Value {
        // Safe: the copies live until after `body`, and libpq copies what it keeps.
        let copies = strings.map { strdup($0) }
        defer { copies.forEach { free($0) } }
        return body(copies.map { UnsafePointer($0) } + [nil])
    }
}
