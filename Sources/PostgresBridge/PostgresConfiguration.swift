internal import CLibPQ

/// How to reach a database, and how its connections are set up.
package struct PostgresConfiguration: Sendable {
    /// A libpq URI or keywords, several hosts allowed (manual 34.1.1).
    ///
    /// May hold a password, so it
    /// never appears in an error or a log: use `redacted`.
    package var conninfo: String
    /// Shown in `pg_stat_activity`, unless `conninfo` names another.
    package var applicationName: String
    /// Seconds for each host, unless `conninfo` says otherwise; libpq takes 1 as 2.
    package var connectTimeout: Int
    /// Session settings that are set after connecting, like `("synchronous_commit", "on")`.
    package var settings: [(String, String)]

    package init(
        conninfo: String, applicationName: String = "sluice", connectTimeout: Int = 10,
        settings: [(String, String)] = []
    ) {
        self.conninfo = conninfo
        self.applicationName = applicationName
        self.connectTimeout = connectTimeout
        self.settings = settings
    }

    /// Where `conninfo` points, fit for logs: host, port, dbname and user, never the password.
    package var redacted: String {
        guard let options = Self.parse(conninfo) else {
            return Self.isConnectionString(conninfo) ? "(unreadable)" : "dbname=\(conninfo)"
        }
        return ["host", "hostaddr", "port", "dbname", "user"].compactMap { keyword in
            options[keyword].map { "\(keyword)=\($0)" }
        }.joined(separator: " ")
    }

    /// libpq takes anything else for the name of a database.
    static func isConnectionString(_ text: String) -> Bool {
        text.hasPrefix("postgresql://") || text.hasPrefix("postgres://") || text.contains("=")
    }

    /// The options that `conninfo` sets itself, or nil if libpq cannot read it.
    ///
    /// libpq's message is dropped: it quotes the piece it stumbled over, which may be (a part of)
    /// the password.
    static func parse(_ conninfo: String) -> [String: String]? {
        // Safe: libpq's array ends with a NULL keyword and is ours until PQconninfoFree.
        var message: UnsafeMutablePointer<CChar>?
        defer { PQfreemem(message) }
        guard let options = PQconninfoParse(conninfo, &message) else { return nil }
        defer { PQconninfoFree(options) }
        var found: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                found[String(cString: keyword)] = String(cString: value)
            }
            option += 1
        }
        return found
    }

    /// Keywords and values for PQconnectdbParams with `expand_dbname`.
    ///
    /// libpq lets the later of two equal keywords win, so our defaults stand before the user's
    /// string and what must hold stands after it.
    func parameters() -> [(String, String)] {
        [
            ("connect_timeout", "\(connectTimeout)"),
            ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "30000"),
            ("dbname", conninfo),
            ("fallback_application_name", applicationName),
            ("client_encoding", "UTF8"),
        ]
    }
}
