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
    /// Seconds for each address of each host, unless `conninfo` says otherwise; less where
    /// `setUpTimeout` has to do for many hosts.
    package var connectTimeout: Int
    /// From the first host's name to the last setting: no connection takes longer to come up.
    package var setUpTimeout: Duration
    /// Which of several hosts is asked first, counted as `conninfo` lists them, from 0 and around.
    package var firstHost = 0
    /// Session settings that are set after connecting, like `("synchronous_commit", "on")`.
    package var settings: [(String, String)]

    package init(
        conninfo: String, applicationName: String = "sluice", connectTimeout: Int = 10,
        setUpTimeout: Duration = .seconds(15), settings: [(String, String)] = []
    ) {
        self.conninfo = conninfo
        self.applicationName = applicationName
        self.connectTimeout = connectTimeout
        self.setUpTimeout = setUpTimeout
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

    /// Parameters for one connect after the other, each with another host first.
    ///
    /// libpq asks the next host when one can't be reached or can't be written to, but not when it
    /// takes the connection and then closes it, as a balancer before a dead server does.
    var ways: [[(String, String)]] {
        (0..<PostgresHosts(conninfo).count).map { parameters(firstHost: firstHost + $0) }
    }

    /// Keywords and values for PQconnectdbParams with `expand_dbname`.
    ///
    /// libpq lets the later of two equal keywords win, so our defaults stand before the user's
    /// string and what must hold stands after it.
    func parameters(firstHost: Int) -> [(String, String)] {
        [
            ("keepalives_idle", Keepalive.idle), ("keepalives_interval", Keepalive.interval),
            ("keepalives_count", Keepalive.count), ("tcp_user_timeout", Keepalive.userTimeout),
            // Of several hosts, the one that can be written to: a standby would be stuck to for as
            // long as it is named first. Not `primary`, which takes a read-only one too.
            ("target_session_attrs", "read-write"),
            ("dbname", conninfo),
            ("fallback_application_name", applicationName),
            ("client_encoding", "UTF8"),
            ("connect_timeout", "\(addressTimeout)"),
        ] + rotatedHosts(by: firstHost)
    }

    /// The hosts with this one first, if there are several.
    private func rotatedHosts(by number: Int) -> [(String, String)] {
        let hosts = PostgresHosts(conninfo)
        return hosts.count > 1 ? hosts.rotated(by: number) : []
    }

    /// How soon a peer that vanished is noticed; for both ends of a connection.
    package enum Keepalive {
        /// Seconds of silence before the first probe.
        package static let idle = "10"
        /// Seconds between probes.
        package static let interval = "5"
        /// Probes without an answer.
        package static let count = "3"
        /// Milliseconds for which what was sent may stay unacknowledged.
        package static let userTimeout = "30000"
    }

    /// libpq takes 1 second as 2.
    private static let addressTimeoutMin = 2

    /// Seconds for each address, so that the last host has its turn within `setUpTimeout` when the
    /// others are silent.
    private var addressTimeout: Int {
        let options = Self.parse(conninfo) ?? [:]
        let chosen = options["connect_timeout"].flatMap { Int($0) } ?? connectTimeout
        // Many names have two addresses, one of each family. 0 means for ever.
        let share = Int(setUpTimeout.components.seconds) / (2 * PostgresHosts(conninfo).count)
        return max(Self.addressTimeoutMin, chosen > 0 ? min(chosen, share) : share)
    }
}
