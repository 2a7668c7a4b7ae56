/// A connection behind a pooler in transaction mode, which may give each transaction another server
/// process (PgBouncer's `pool_mode = transaction`).
///
/// Nothing that belongs to a session works there, and what is set for one leaks to strangers. So
/// the settings are set within each transaction, in the same exchange as its first statement, and
/// prepared statements are sent as unnamed ones.
struct PooledSession {
    let settings: SettingsStatement?
    /// The texts of `prepare`, by their names.
    var statements: [String: String] = [:]
    /// In pipeline mode: the next statement begins a transaction.
    var isAtStart = true
    /// In pipeline mode: for each command that was sent and has not ended, whether it is the
    /// settings, whose result nobody asked for.
    var sent: [Bool] = []

    /// - Parameter settings: Of a session. Those of the server's own socket are left out: it leads
    ///   to the pooler. The default of transactions becomes this transaction's.
    init(settings: [(String, String)]) {
        let defaults = "default_"
        let local = settings.filter { !$0.0.hasPrefix("tcp_") }.map { name, value in
            (name.hasPrefix(defaults) ? String(name.dropFirst(defaults.count)) : name, value)
        }
        self.settings = SettingsStatement(local, isLocal: true)
    }

    func text(of name: String) -> String {
        guard let text = statements[name] else {
            preconditionFailure("bug: statement \(name) was not prepared")
        }
        return text
    }
}

/// One statement for all settings: each would cost a round trip.
struct SettingsStatement {
    let sql: String
    let parameters: [PostgresParameter]

    /// `nil` when there are none.
    ///
    /// - Parameters:
    ///   - settings: Names and values.
    ///   - isLocal: Until the end of the transaction, or of the session.
    init?(_ settings: [(String, String)], isLocal: Bool) {
        guard !settings.isEmpty else { return nil }
        // Qualified, because the search path is one of the settings.
        let calls = settings.indices.map {
            "pg_catalog.set_config($\(2 * $0 + 1), $\(2 * $0 + 2), \(isLocal))"
        }
        sql = "SELECT \(calls.joined(separator: ", "))"
        parameters = settings.flatMap { [.text($0.0), .text($0.1)] }
    }
}

extension PostgresConnection {
    /// Whether a pooler stands between.
    package var isBehindPooler: Bool { pooled != nil }

    /// Whether a pooler stands between: the process that answers is not the one that the login
    /// named, as a pooler makes these numbers up.
    func isPooled() throws(PostgresError) -> Bool {
        try query("SELECT pg_catalog.pg_backend_pid()").int4(0, 0) != backendPID
    }
}
