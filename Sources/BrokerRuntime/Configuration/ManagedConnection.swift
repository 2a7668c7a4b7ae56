internal import FoundationEssentials

/// How other processes of this machine reach the managed database of a data directory.
package enum ManagedConnection {
    /// The conninfo, if the server's socket is there.
    ///
    /// It lies in `postgres` of the data directory, or, where that path is too long for a socket,
    /// in the directory that `postgres/socket_directory` names.
    ///
    /// - Parameter dataDirectory: The broker's.
    /// - Returns: What libpq takes.
    /// - Throws: When no server has left its socket there.
    package static func conninfo(
        dataDirectory: String
    ) throws(ConfigurationError) -> String {
        let home = dataDirectory + "/postgres"
        let noted = FileManager.default.contents(atPath: home + "/socket_directory")
            .map { String(decoding: $0, as: UTF8.self) }
        for directory in [home, noted].compactMap(\.self)
        where FileManager.default.fileExists(atPath: directory + "/.s.PGSQL.5432") {
            return "host=\(quote(directory)) port=5432 user=sluice dbname=sluice"
        }
        throw ConfigurationError(
            "No managed database runs for the data directory \(dataDirectory).",
            remedy: "Start 'sluice serve', or name its --data-dir or a --database-url.")
    }

    /// As libpq wants a value with spaces (manual 34.1.1).
    private static func quote(_ value: String) -> String {
        let escaped = value.flatMap { character -> [Character] in
            character == "'" || character == "\\" ? ["\\", character] : [character]
        }
        return "'\(String(escaped))'"
    }
}
